#include "tools/help.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace vit::tools {
namespace {

constexpr size_t kColumn = 34;  // where descriptions begin
constexpr size_t kWidth = 118;

/// Line breaks between words, so that no line is longer than `width`.
std::vector<std::string> wrapped(const std::string& text, size_t width) {
  std::vector<std::string> lines(1);
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    std::string& line = lines.back();
    if (line.empty())
      line = word;
    else if (line.size() + 1 + word.size() <= width)
      line += ' ' + word;
    else
      lines.push_back(word);
  }
  return lines;
}

/// A name and, in the column beside it or below it where it is long, its description.
std::string entry_text(const HelpEntry& entry) {
  std::string text = "  " + entry.name;
  for (const std::string& line : wrapped(entry.description, kWidth - kColumn)) {
    const bool beside = text.size() < kColumn && text.find('\n') == std::string::npos;
    text += beside ? std::string(kColumn - text.size(), ' ') : '\n' + std::string(kColumn, ' ');
    text += line;
  }
  return text + '\n';
}

std::string section_text(const HelpSection& section) {
  std::string text = '\n' + section.heading + ":\n";
  for (const HelpEntry& entry : section.entries) text += entry_text(entry);
  return text;
}

/// Required options say so, defaults stand at the end of the description.
HelpEntry entry_of(const CLI::Option& option) {
  HelpEntry entry{option.get_positional() ? option.get_name(true) : option.get_name(false, true),
                  option.get_description()};
  if (option.get_type_size() != 0) {
    if (!option.get_type_name().empty()) entry.name += ' ' + option.get_type_name();
    if (takes_many(option)) entry.name += "...";
  }
  if (option.get_required()) entry.description += " (required)";
  if (!option.get_default_str().empty()) entry.description += " [" + option.get_default_str() + "]";
  return entry;
}

HelpEntry entry_of(const CLI::App& command) { return {command.get_name(), command.get_description()}; }

std::string usage_of(const CLI::App& app) {
  std::string text = "[options]";
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    const std::string word = option->get_name(true) + (takes_many(*option) ? "..." : "");
    text += option->get_required() ? ' ' + word : " [" + word + ']';
  }
  if (!commands_of(app).empty()) text += " COMMAND";
  return text;
}

/// A section for each group of what is listed, in the order of their first members.
template <class Member>
std::vector<HelpSection> sections_of(const std::vector<const Member*>& members) {
  std::vector<HelpSection> sections;
  for (const Member* member : members) {
    const std::string group = member->get_group();
    if (group.empty()) continue;
    auto section = std::ranges::find(sections, group, &HelpSection::heading);
    if (section == sections.end()) section = sections.insert(section, HelpSection{group, {}});
    section->entries.push_back(entry_of(*member));
  }
  return sections;
}

class HelpFormatter : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode) const override {
    const HelpPage page = help_page(*app);
    std::string text = page.summary + "\nUsage: " + name + ' ' + page.usage + '\n';
    if (!page.arguments.empty()) text += section_text({"Arguments", page.arguments});
    for (const HelpSection& section : page.options) text += section_text(section);
    for (const HelpSection& section : page.commands) text += section_text(section);
    if (!page.footer.empty()) text += '\n' + page.footer + '\n';
    return text;
  }
};

}  // namespace

bool takes_many(const CLI::Option& option) {
  return option.get_expected_max() >= CLI::detail::expected_max_vector_size;
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

std::string full_name(const CLI::App& command) {
  return command.get_parent() == nullptr ? command.get_name()
                                         : full_name(*command.get_parent()) + " " + command.get_name();
}

HelpPage help_page(const CLI::App& app) {
  HelpPage page{.summary = app.get_description(),
                .usage = usage_of(app),
                .arguments = {},
                .options = {},
                .commands = sections_of(commands_of(app)),
                .footer = app.get_footer()};
  std::vector<const CLI::Option*> named;
  for (const CLI::Option* option : app.get_options())
    if (option->get_positional())
      page.arguments.push_back(entry_of(*option));
    else
      named.push_back(option);
  page.options = sections_of(named);
  return page;
}

void set_help_style(CLI::App& root) {
  root.formatter(std::make_shared<HelpFormatter>());
  root.set_help_flag("-h,--help", "show this help");
}

}  // namespace vit::tools
