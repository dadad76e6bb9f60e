// What may come next on a command line. The shells' scripts (tools/completion/) ask `vit complete WORD...`, so that
// they know nothing of commands and options themselves.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <string>
#include <vector>

#include "tools/help.h"

namespace vit::tools {

struct Completion {
  bool paths = false;  // a file or folder comes next; the shell knows those
  std::vector<HelpEntry> words;
};

/// `words` are those behind the program's name; the last one is being typed and may be empty.
Completion complete(CLI::App& root, std::vector<std::string> words);

/// ":paths", or a line "word<tab>description" each.
std::string completion_text(const Completion& completion);

}  // namespace vit::tools
