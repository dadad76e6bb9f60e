// The text of --help, the same with every version of CLI11.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace vit::tools {

/// Gives `root` and the commands that are added to it our help.
void set_help_style(CLI::App& root);

}  // namespace vit::tools
