// The words that files and command lines use for the values of an enum: one table an enum, where its words are read.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "vit/core/error.h"

namespace vit {

template <class Enum>
struct Word {
  Enum value;
  std::string_view word;
};

/// Specialised, as an array of Word<Enum>, for each enum that has words.
template <class Enum>
inline constexpr std::nullptr_t kWords = nullptr;

template <class Enum>
std::span<const Word<Enum>> words_of() {
  return kWords<Enum>;
}

/// Throws Error (internal) for a value that has no word.
template <class Enum>
std::string_view word_of(Enum value) {
  for (const auto& word : words_of<Enum>())
    if (word.value == value) return word.word;
  fail(ErrorKind::internal, "[words] value ", static_cast<int>(value), " has no word");
}

template <class Enum>
std::optional<Enum> find_word(std::string_view text) {
  for (const auto& word : words_of<Enum>())
    if (word.word == text) return word.value;
  return std::nullopt;
}

/// All words: "none, attention, block".
template <class Enum>
std::string word_list(std::string_view between = ", ") {
  std::string text;
  for (const auto& word : words_of<Enum>()) text.append(text.empty() ? "" : between).append(word.word);
  return text;
}

/// The value of a word; throws Error (usage) that lists the words, `what` is what they are words for.
template <class Enum>
Enum parse_word(std::string_view text, std::string_view what) {
  if (const auto value = find_word<Enum>(text)) return *value;
  fail(ErrorKind::usage, "[", what, "] needs one of ", word_list<Enum>(), ", has '", text, "'");
}

}  // namespace vit
