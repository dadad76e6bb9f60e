// What all sub-commands share in reading their arguments: checks of words and numbers, suggestions.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "datasets/folder_reading.h"
#include "infer/classifier.h"
#include "vit/core/dtype.h"
#include "vit/core/words.h"

namespace vit::tools {

/// The word among `known` that was probably meant, or empty: at most a third of its letters mistyped.
std::string nearest_word(const std::string& word, const std::vector<std::string>& known);

/// One word of `words`; another one is a usage error with a suggestion.
CLI::Validator one_of(std::vector<std::string> words);
/// The words that `one_of` holds the option to, none where anything else may stand.
std::vector<std::string> words_for(CLI::Option& option);
/// The words with `between` between them.
std::string joined(const std::vector<std::string>& words, const char* between);

/// An option that takes one of the enum's words; the default is what `value` holds now.
template <class Enum>
CLI::Option* add_word_option(CLI::App& command, const char* name, Enum& value, const char* description) {
  std::vector<std::string> names;
  for (const auto& word : words_of<Enum>()) names.emplace_back(word.word);
  const auto take = [&value](const std::string& text) { value = find_word<Enum>(text).value_or(value); };
  return command.add_option_function<std::string>(name, take, description)
      ->type_name(joined(names, "|"))
      ->default_str(std::string(word_of(value)))
      ->check(one_of(names));
}

/// All of the word as a decimal number: no spaces, no leading zeros, no other base. A number may also be "nan" or
/// "inf", which lie in no range.
template <class Number>
std::optional<Number> parse_decimal(const std::string& word) {
  const bool zeros = word.size() > 1 && word[0] == '0' && word[1] >= '0' && word[1] <= '9';
  Number value{};
  const auto end = std::from_chars(word.data(), word.data() + word.size(), value);
  if (zeros || end.ec != std::errc() || end.ptr != word.data() + word.size()) return std::nullopt;
  return value;
}

/// More than anybody counts; products of two still fit 64 bits.
inline constexpr int64_t kLargestCount = int64_t{1} << 30;
/// A whole number or a number within bounds.
CLI::Validator at_least(int64_t least, int64_t most = kLargestCount);
CLI::Validator within(double least, double most);
/// --seed.
inline CLI::Validator any_seed() { return at_least(0, std::numeric_limits<int64_t>::max()); }

/// A usage error when `option` was given although it does nothing.
void refuse_without_effect(const CLI::Option* option, bool without_effect, const std::string& why);
/// No option and no argument takes an empty text: nobody could tell it from one that is absent.
void refuse_empty_texts(CLI::App& root);

/// --threads: applied when the command line is read.
void add_threads_option(CLI::App& command);
/// --batch of the commands that only read.
void add_batch_option(CLI::App& command, int64_t& batch);
/// --layout of the commands that read a folder of labelled pictures.
CLI::Option* add_layout_option(CLI::App& command, FolderReading& reading);
/// --force of the commands that write.
void add_force_option(CLI::App& command, bool& force);
/// --dtype: the arithmetic of the products, which `auto` leaves to the model and the processor.
class DTypeChoice {
 public:
  /// auto: int8 for a quantised model, else bf16, else fp32, whichever the processor has; it says what it took. Where
  /// nothing was chosen: auto for a quantised model, else fp32.
  DType of(bool quantized) const;

  std::string word = {};  // empty = nothing was chosen
};
CLI::Option* add_dtype_option(CLI::App& command, DTypeChoice& choice);
/// The model of a file in the arithmetic that was chosen.
Classifier open_classifier(const std::string& path, const DTypeChoice& choice);

/// What is wrong with the command line, in one line, with the likely correction.
std::string describe(const CLI::App& root, const CLI::ParseError& error);

}  // namespace vit::tools
