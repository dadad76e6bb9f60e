// What --help says: built from the command line's own options, shown as text here and as manual pages in man_page.h.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <string>
#include <vector>

namespace vit::tools {

struct HelpEntry {
  std::string name;  // "--seed N", "DATA", "import"
  std::string description;
};

struct HelpSection {
  std::string heading;
  std::vector<HelpEntry> entries;
};

/// The help of one command. A heading without entries is left out.
struct HelpPage {
  std::string summary;
  std::string usage;  // what follows the command's name: "[options] DATA"
  std::vector<HelpEntry> arguments;
  std::vector<HelpSection> options;
  std::vector<HelpSection> commands;
  std::string footer;
};
HelpPage help_page(const CLI::App& app);

/// Its commands, but for those that help does not show.
std::vector<const CLI::App*> commands_of(const CLI::App& app);
/// "vit data import".
std::string full_name(const CLI::App& command);
/// As many values as the user likes to give.
bool takes_many(const CLI::Option& option);

/// Gives `root` and the commands that are added to it our help, the same with every version of CLI11.
void set_help_style(CLI::App& root);

}  // namespace vit::tools
