#include "datasets/split_words.h"

#include <algorithm>
#include <vector>

namespace vit {
namespace {

struct SplitWord {
  std::string_view word;
  int split;
};
constexpr SplitWord kWords[] = {{"train", 0},  {"training", 0}, {"trainset", 0},   {"traindata", 0}, {"val", 1},
                                {"valid", 1},  {"validate", 1}, {"validation", 1}, {"dev", 1},       {"valset", 1},
                                {"devset", 1}, {"test", 2},     {"testing", 2},    {"testset", 2},   {"testdata", 2}};
/// Say nothing about what a folder holds.
constexpr std::string_view kFiller[] = {"set",    "sets",   "data",   "dataset", "split",    "image",
                                        "images", "img",    "imgs",   "picture", "pictures", "pics",
                                        "photo",  "photos", "folder", "seg",     "samples",  "files"};

/// Runs of letters and of digits, lower case; the rest separates them. "TrainImages2" gives "train", "images", "2".
std::vector<std::string> words_of(std::string_view name) {
  enum { none, lower, upper, digit, other } before = none;
  std::vector<std::string> words;
  for (const char c : name) {
    const bool is_upper = c >= 'A' && c <= 'Z';
    const bool is_lower = c >= 'a' && c <= 'z';
    const auto kind = is_upper               ? upper
                      : is_lower             ? lower
                      : c >= '0' && c <= '9' ? digit
                      : (c & 0x80) != 0      ? other
                                             : none;
    const bool goes_on = kind == before || (before == upper && kind == lower);
    if (kind != none && !goes_on) words.emplace_back();
    if (kind != none) words.back() += is_upper ? static_cast<char>(c - 'A' + 'a') : c;
    before = kind;
  }
  return words;
}

bool is_filler(std::string_view word) {
  return std::find(std::begin(kFiller), std::end(kFiller), word) != std::end(kFiller);
}

}  // namespace

std::optional<SplitName> split_name(std::string_view folder) {
  std::optional<SplitName> found;
  std::string other;
  for (const std::string& word : words_of(folder)) {
    const auto* split =
        std::find_if(std::begin(kWords), std::end(kWords), [&](const SplitWord& known) { return known.word == word; });
    if (split != std::end(kWords)) {
      if (found) return std::nullopt;
      found = SplitName{split->split, ""};
    } else if (!is_filler(word)) {
      other += (other.empty() ? "" : " ") + word;
    }
  }
  if (found) found->other = other;
  return found;
}

bool says_nothing(std::string_view folder) {
  const std::vector<std::string> words = words_of(folder);
  return std::all_of(words.begin(), words.end(), is_filler);
}

}  // namespace vit
