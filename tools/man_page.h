// Manual pages from the same texts as --help.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>
#include <string>

namespace vit::tools {

/// The page of a command in roff's man macros (man(7)).
std::string man_page(const CLI::App& command);
/// vit.1, vit-train.1, vit-data-import.1, ...: a page for `command` and for each below it, into a folder that is made.
void write_man_pages(const CLI::App& command, const std::filesystem::path& folder);

}  // namespace vit::tools
