#include "tools/args.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <sstream>

#include "infer/engine.h"
#include "tools/help.h"
#include "vit/core/error.h"
#include "vit/core/log.h"
#include "vit/core/parallel.h"

namespace vit::tools {
namespace {

const std::string kOneOf = "one of ";  // how the name of such a validator begins; its words follow

/// Letters to insert, drop, change or swap with their neighbour (optimal string alignment).
size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

std::string suggestion(const std::string& word, const std::vector<std::string>& known) {
  const std::string meant = nearest_word(word, known);
  return meant.empty() ? "" : " (did you mean '" + meant + "'?)";
}

std::string number_text(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

const CLI::App& chosen_command(const CLI::App& root) {
  const CLI::App* command = &root;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  return *command;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::vector<std::string> command_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* sub : commands_of(command)) names.push_back(sub->get_name());
  return names;
}

}  // namespace

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::string nearest_word(const std::string& word, const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

CLI::Validator one_of(std::vector<std::string> words) {
  const std::string listed = joined(words, "|");
  return CLI::Validator(
      [words = std::move(words)](std::string& word) {
        if (std::find(words.begin(), words.end(), word) != words.end()) return std::string();
        return "needs " + joined(words, ", ") + ", has '" + word + "'" + suggestion(word, words);
      },
      "", kOneOf + listed);
}

std::vector<std::string> words_for(CLI::Option& option) {
  try {
    for (int i = 0;; ++i) {
      const std::string& name = option.get_validator(i)->get_name();
      if (!name.starts_with(kOneOf)) continue;
      std::vector<std::string> words;
      std::istringstream listed(name.substr(kOneOf.size()));
      for (std::string word; std::getline(listed, word, '|');) words.push_back(word);
      return words;
    }
  } catch (const CLI::OptionNotFound&) {  // no validator is left
    return {};
  }
}

CLI::Validator at_least(int64_t least, int64_t most) {
  return CLI::Validator(
      [least, most](std::string& word) {
        const auto value = parse_decimal<int64_t>(word);
        if (value && *value >= least && *value <= most) return std::string();
        if (value && *value > most) return "needs at most " + std::to_string(most) + ", has '" + word + "'";
        return "needs a whole number of at least " + std::to_string(least) + ", has '" + word + "'";
      },
      "");
}

CLI::Validator within(double least, double most) {
  return CLI::Validator(
      [least, most](std::string& word) {
        const auto value = parse_decimal<double>(word);
        if (value && *value >= least && *value <= most) return std::string();
        std::string needs = "needs a number of at least " + number_text(least);
        if (std::isfinite(most)) needs = "needs a number from " + number_text(least) + " to " + number_text(most);
        return needs + ", has '" + word + "'";
      },
      "");
}

void refuse_without_effect(const CLI::Option* option, bool without_effect, const std::string& why) {
  if (without_effect && option->count() > 0) throw CLI::ValidationError(option->get_name(), "has no effect: " + why);
}

void refuse_empty_texts(CLI::App& root) {
  static const CLI::Validator not_empty([](std::string& word) { return word.empty() ? "needs a text, has none" : ""; },
                                        "");
  for (CLI::Option* option : root.get_options())
    if (option->get_type_size() > 0) option->check(not_empty);
  for (CLI::App* command : root.get_subcommands(std::function<bool(CLI::App*)>{})) refuse_empty_texts(*command);
}

void add_threads_option(CLI::App& command) {
  command.add_option_function<int>("--threads", set_thread_count, "threads; 0 = one per processor")
      ->type_name("N")
      ->default_str("0")
      ->check(at_least(0))
      ->check(within(0, 4096))
      ->group("Running");
}

CLI::Option* add_layout_option(CLI::App& command, FolderReading& reading) {
  return add_word_option(command, "--layout", reading,
                         "how folders are read: classes = CLASS/x.jpg, splits = SPLIT/CLASS/x.jpg, inner-splits = "
                         "CLASS/SPLIT/x.jpg; auto asks where it is unclear");
}

void add_batch_option(CLI::App& command, int64_t& batch) {
  command.add_option("--batch", batch, "pictures at a time; 0 = by the model's size")
      ->capture_default_str()
      ->type_name("N")
      ->check(at_least(0))
      ->check(within(0, 65536))
      ->group("Running");
}

void add_force_option(CLI::App& command, bool& force) {
  command.add_flag("--force", force, "replace files that are there; what the command reads is never replaced")
      ->group("Output");
}

DType DTypeChoice::of(bool quantized) const {
  if (word.empty() && !quantized) return DType::f32;
  if (!word.empty() && word != "auto") return parse_dtype(word);
  const DType dtype = fastest_dtype(quantized);
  const DType best = quantized ? DType::i8 : DType::bf16;
  log(LogLevel::info, concat("--dtype auto: ", dtype_name(dtype),
                             dtype == best ? "" : concat(" (no ", dtype_name(best), ": ", dtype_fault(best), ")")));
  return dtype;
}

CLI::Option* add_dtype_option(CLI::App& command, DTypeChoice& choice) {
  static const std::vector<std::string> kWords = {"fp32", "bf16", "int8", "auto"};
  return command
      .add_option(
          "--dtype", choice.word,
          "arithmetic of the products; auto = the fastest that processor and model have; int8 needs a quantised "
          "model")
      ->type_name(joined(kWords, "|"))
      ->default_str("fp32; auto for a quantised model")
      ->check(one_of(kWords))
      ->group("Running");
}

Classifier open_classifier(const std::string& path, const DTypeChoice& choice) {
  OpenModel model = open_model(path);
  const DType dtype = choice.of(!model.model.quantization.empty());
  return Classifier(std::move(model), path, {.dtype = dtype});
}

std::string describe(const CLI::App& root, const CLI::ParseError& error) {
  const CLI::App& command = chosen_command(root);
  const std::string help = "; see " + full_name(command) + " --help";
  const bool missing_command = !commands_of(command).empty();

  // Words that nobody took explain most other errors, so they come first.
  const std::vector<std::string> rest = root.remaining(true);
  const auto option = std::find_if(rest.begin(), rest.end(), [](const auto& word) { return word.starts_with("-"); });
  if (missing_command && !rest.empty() && rest.front().front() != '-')
    return full_name(command) + " has no command '" + rest.front() + "'" +
           suggestion(rest.front(), command_names(command)) + help;
  if (option != rest.end()) {
    const std::string name = option->substr(0, option->find('='));
    return full_name(command) + " has no option " + name + suggestion(name, option_names(command)) + help;
  }
  if (!rest.empty()) return full_name(command) + ": unexpected argument '" + rest.front() + "'" + help;
  if (missing_command) return full_name(command) + " needs a command: " + joined(command_names(command), ", ") + help;
  std::string text = error.what();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text + help;
}

}  // namespace vit::tools
