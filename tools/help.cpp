#include "tools/help.h"

#include <algorithm>
#include <cstddef>
#include <functional>
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
std::string entry(const std::string& name, const std::string& description) {
  std::string text = "  " + name;
  for (const std::string& line : wrapped(description, kWidth - kColumn)) {
    const bool beside = text.size() < kColumn && text.find('\n') == std::string::npos;
    text += beside ? std::string(kColumn - text.size(), ' ') : '\n' + std::string(kColumn, ' ');
    text += line;
  }
  return text + '\n';
}

bool takes_many(const CLI::Option& option) {
  return option.get_expected_max() >= CLI::detail::expected_max_vector_size;
}

/// Required options say so, defaults stand at the end of the description.
std::string entry(const CLI::Option& option) {
  std::string name = option.get_positional() ? option.get_name(true) : option.get_name(false, true);
  if (option.get_type_size() != 0) {
    if (!option.get_type_name().empty()) name += ' ' + option.get_type_name();
    if (takes_many(option)) name += "...";
  }
  std::string description = option.get_description();
  if (option.get_required()) description += " (required)";
  if (!option.get_default_str().empty()) description += " [" + option.get_default_str() + "]";
  return entry(name, description);
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands(std::function<bool(const CLI::App*)>());
}

std::string usage(const CLI::App& app, const std::string& name) {
  std::string text = "Usage: " + name + " [options]";
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    const std::string word = option->get_name(true) + (takes_many(*option) ? "..." : "");
    text += option->get_required() ? ' ' + word : " [" + word + ']';
  }
  if (!commands_of(app).empty()) text += " COMMAND";
  return text + '\n';
}

/// A heading and what stands below it, where there is anything.
std::string section(const std::string& heading, const std::string& entries) {
  return entries.empty() ? "" : '\n' + heading + ":\n" + entries;
}

/// The groups of what is listed, each once, in the order of their first members.
template <class Members>
std::vector<std::string> groups_of(const Members& members) {
  std::vector<std::string> groups;
  for (const auto* member : members)
    if (!member->get_group().empty() && std::ranges::find(groups, member->get_group()) == groups.end())
      groups.push_back(member->get_group());
  return groups;
}

class HelpFormatter : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode) const override {
    std::string text = app->get_description() + '\n' + usage(*app, name);
    std::vector<const CLI::Option*> named;
    std::string arguments;
    for (const CLI::Option* option : app->get_options())
      if (option->get_positional())
        arguments += entry(*option);
      else
        named.push_back(option);
    text += section("Arguments", arguments);
    for (const std::string& group : groups_of(named)) {
      std::string entries;
      for (const CLI::Option* option : named)
        if (option->get_group() == group) entries += entry(*option);
      text += section(group, entries);
    }
    for (const std::string& group : groups_of(commands_of(*app))) {
      std::string entries;
      for (const CLI::App* command : commands_of(*app))
        if (command->get_group() == group) entries += entry(command->get_name(), command->get_description());
      text += section(group, entries);
    }
    if (!app->get_footer().empty()) text += '\n' + app->get_footer() + '\n';
    return text;
  }
};

}  // namespace

void set_help_style(CLI::App& root) {
  root.formatter(std::make_shared<HelpFormatter>());
  root.set_help_flag("-h,--help", "show this help");
}

}  // namespace vit::tools
