// What all sub-commands share in reading their arguments: checks of words and numbers, suggestions.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "infer/classifier.h"
#include "vit/core/dtype.h"

namespace vit::tools {

/// The word among `known` that was probably meant, or empty: at most a third of its letters mistyped.
std::string nearest_word(const std::string& word, const std::vector<std::string>& known);

/// One word of `words`; another one is a usage error with a suggestion.
CLI::Validator one_of(std::vector<std::string> words);
/// The words with `between` between them.
std::string joined(const std::vector<std::string>& words, const char* between);

/// A word of the command line and what it stands for.
template <class Value>
struct Word {
  const char* name;
  Value value;
};

/// An option that takes one word of a table; the default is what `value` holds now. The table must outlive the command.
template <class Value, size_t n>
CLI::Option* add_word_option(CLI::App& command, const char* name, const Word<Value> (&words)[n], Value& value,
                             const char* description) {
  std::vector<std::string> names;
  std::string now;
  for (const auto& word : words) {
    names.emplace_back(word.name);
    if (word.value == value) now = word.name;
  }
  const auto take = [&words, &value](const std::string& text) {
    for (const auto& word : words)
      if (text == word.name) value = word.value;
  };
  return command.add_option_function<std::string>(name, take, description)
      ->type_name(joined(names, "|"))
      ->default_str(now)
      ->check(one_of(names));
}

/// A whole number or a number within bounds.
CLI::Validator at_least(int64_t least);
CLI::Validator within(double least, double most);

/// --threads: applied when the command line is read.
void add_threads_option(CLI::App& command);
/// --batch of the commands that only read.
void add_batch_option(CLI::App& command, int64_t& batch);
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
