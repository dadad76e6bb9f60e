#include "tools/completion.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "tools/args.h"

namespace vit::tools {
namespace {

/// What options whose value is a file or folder call it (their type_name).
constexpr auto kPathTypes = std::to_array<std::string_view>({"FILE", "DIR", "MODEL", "RUN", "DATA"});

/// What is known of a command line where its last word begins.
struct Place {
  CLI::App* command;
  CLI::Option* option = nullptr;  // whose values are being given
  int values = 0;                 // that it may still take
  int arguments = 0;              // positional ones before the last word
  std::vector<const CLI::Option*> given = {};
};

bool is_option(const std::string& word) { return word.size() > 1 && word[0] == '-'; }

CLI::Option* find_option(CLI::App& command, const std::string& word) {
  return command.get_option_no_throw(word.substr(0, word.find('=')));
}

void read_word(Place& place, const std::string& word) {
  if (word == "=") return;  // bash makes three words of --option=value
  if (is_option(word)) {
    place.option = find_option(*place.command, word);
    if (place.option == nullptr) return;
    place.given.push_back(place.option);
    place.values = place.option->get_items_expected_max() - (word.find('=') == std::string::npos ? 0 : 1);
    return;
  }
  if (place.option != nullptr && place.values > 0) {
    --place.values;
    return;
  }
  place.option = nullptr;
  const auto commands = place.command->get_subcommands([&](CLI::App* command) { return command->check_name(word); });
  if (commands.empty())
    ++place.arguments;
  else
    place = {.command = commands.front()};
}

void add_matching(Completion& completion, const std::string& begin, HelpEntry entry) {
  if (entry.name.starts_with(begin)) completion.words.push_back(std::move(entry));
}

/// Values of an option, behind "--option=" where that is part of the word.
Completion values_of(CLI::Option& option, const std::string& word) {
  const size_t equals = is_option(word) ? word.find('=') + 1 : 0;
  Completion completion;
  for (const std::string& value : words_for(option))
    add_matching(completion, word, {word.substr(0, equals) + value, ""});
  completion.paths = std::ranges::find(kPathTypes, option.get_type_name()) != kPathTypes.end();
  return completion;
}

Completion options_of(const Place& place, const std::string& word) {
  Completion completion;
  for (const CLI::Option* option : place.command->get_options()) {
    if (option->get_positional() || std::ranges::find(place.given, option) != place.given.end()) continue;
    for (const std::string& name : option->get_lnames())
      add_matching(completion, word, {"--" + name, option->get_description()});
  }
  return completion;
}

bool takes_argument(const Place& place) {
  int most = 0;
  for (const CLI::Option* option : place.command->get_options())
    if (option->get_positional()) most += option->get_items_expected_max();
  return place.arguments < most;
}

}  // namespace

Completion complete(CLI::App& root, std::vector<std::string> words) {
  std::string last;
  if (!words.empty()) {
    if (words.back() != "=") last = words.back();
    words.pop_back();
  }
  Place place{.command = &root};
  for (const std::string& word : words) read_word(place, word);
  if (is_option(last)) {
    if (last.find('=') == std::string::npos) return options_of(place, last);
    CLI::Option* option = find_option(*place.command, last);
    return option != nullptr && option->get_items_expected_max() > 0 ? values_of(*option, last) : Completion{};
  }
  if (place.option != nullptr && place.values > 0) return values_of(*place.option, last);
  Completion completion;
  for (const CLI::App* command : commands_of(*place.command))
    add_matching(completion, last, {command->get_name(), command->get_description()});
  if (!completion.words.empty()) return completion;
  if (takes_argument(place)) return {.paths = true, .words = {}};
  return options_of(place, last);
}

std::string completion_text(const Completion& completion) {
  if (completion.paths) return ":paths\n";
  std::string text;
  for (const HelpEntry& word : completion.words) text += word.name + '\t' + word.description + '\n';
  return text;
}

}  // namespace vit::tools
