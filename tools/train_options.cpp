#include "tools/train_options.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tools/args.h"
#include "vit/core/json_text.h"
#include "vit/core/options.h"
#include "vit/model/config.h"

namespace vit::tools {
namespace {

using nlohmann::json;

std::string value_text(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "on" : "off";
  if (!value.is_array()) return json_text(value);
  std::string text;
  for (const json& item : value) text += (text.empty() ? "" : " ") + json_text(item);
  return text;
}

json parse_number(const std::string& option, const std::string& word, bool whole) {
  if (whole) {
    if (const auto value = parse_decimal<uint64_t>(word)) return *value;
  } else if (const auto value = parse_decimal<double>(word)) {
    return *value;
  }
  throw CLI::ValidationError(
      option, std::string("needs a ") + (whole ? "whole number of at least 0" : "number") + ", has '" + word + "'");
}

/// The words as a value of the same kind as `like`.
json parse_value(const std::string& option, const std::vector<std::string>& words, const json& like) {
  if (like.is_string()) return words.front();
  if (like.is_boolean()) return words.front() == "on";
  if (!like.is_array()) return parse_number(option, words.front(), like.is_number_integer());
  json values = json::array();
  for (const std::string& word : words) values.push_back(parse_number(option, word, false));
  return values;
}

/// A table's options of one group. Values go to `pointer`/<field>; `defaults` null: the help shows none.
template <class Options>
void add_options(CLI::App& command, OptionTable<Options> table, std::string_view group, const std::string& pointer,
                 const Options* defaults, json& overrides) {
  const Options fresh;
  for (const OptionField<Options>& field : table) {
    if (field.option == nullptr || field.group != group) continue;
    const json::json_pointer place(pointer + "/" + field.name);
    const json like = field.member.write(defaults != nullptr ? *defaults : fresh);
    const std::vector<std::string> choices = field.choices();
    const std::string name = field.option;
    if (like.is_boolean() && choices.empty()) {
      command
          .add_flag_function(
              name, [place, &overrides](int64_t) { overrides[place] = true; }, field.help)
          ->group(field.group);
      continue;
    }
    const auto take = [name, place, like, &overrides](const std::vector<std::string>& words) {
      overrides[place] = parse_value(name, words, like);
    };
    auto* option = command.add_option_function<std::vector<std::string>>(name, take, field.help);
    if (!like.is_array()) option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    if (!choices.empty()) option->check(one_of(choices));
    option->expected(like.is_array() ? 3 : 1)
        ->type_name(choices.empty() ? field.unit : joined(choices, "|"))
        ->group(field.group);
    if (defaults != nullptr) option->default_str(value_text(like));
  }
}

/// The groups of a table's options that are not in `groups` yet, in the order of their first rows.
template <class Options>
void add_groups(OptionTable<Options> table, std::vector<std::string_view>& groups) {
  for (const OptionField<Options>& field : table)
    if (field.option != nullptr && std::ranges::find(groups, field.group) == groups.end())
      groups.emplace_back(field.group);
}

}  // namespace

void add_train_config_options(CLI::App& command, TrainChoices& choices) {
  command
      .add_option("--model", choices.preset,
                  "architecture; without it one that fits the pictures: " + joined(model_preset_names(), ", "))
      ->type_name("PRESET")
      ->check(one_of(model_preset_names()))
      ->group("Model and pixels");
  const TrainConfig defaults = train_recipe("default");
  const ModelConfig* model = defaults.model.image_size == 0 ? nullptr : &defaults.model;
  std::vector<std::string_view> groups;
  add_groups(preprocess_options(), groups);
  add_groups(model_options(), groups);
  add_groups(train_options(), groups);
  add_groups(augment_options(), groups);
  // "Running" is the last group of each command.
  std::ranges::stable_partition(groups, [](std::string_view group) { return group != "Running"; });
  for (const std::string_view group : groups) {
    add_options(command, preprocess_options(), group, "/preprocess", &defaults.preprocess, choices.fields);
    add_options(command, model_options(), group, "/model", model, choices.fields);
    add_options(command, train_options(), group, "", &defaults, choices.fields);
    add_options(command, augment_options(), group, "/augment", &defaults.augment, choices.fields);
  }
}

}  // namespace vit::tools
