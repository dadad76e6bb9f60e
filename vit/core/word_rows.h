// Tables whose rows are chosen by a word, `row.word`: parts, update rules, objectives, presets, recipes.
#pragma once

#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "vit/core/error.h"

namespace vit {

/// "one, two, three".
inline std::string word_list(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : ", ").append(word);
  return text;
}

/// The words of all rows, in their order.
template <class Rows>
std::vector<std::string> row_words(const Rows& rows) {
  std::vector<std::string> words;
  for (const auto& row : rows) words.emplace_back(row.word);
  return words;
}

/// Null when there is none.
template <class Rows>
auto find_row(const Rows& rows, std::string_view word) -> decltype(&*std::begin(rows)) {
  for (const auto& row : rows)
    if (row.word == word) return &row;
  return nullptr;
}

/// Throws Error (usage) that lists the words; `what` is what the word is for.
template <class Rows>
const auto& row_of(const Rows& rows, std::string_view word, std::string_view what) {
  if (const auto* row = find_row(rows, word)) return *row;
  fail(ErrorKind::usage, what, " needs one of ", word_list(row_words(rows)), ", has '", word, "'");
}

}  // namespace vit
