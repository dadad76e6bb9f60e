#include "datasets/natural_order.h"

#include <algorithm>

namespace vit {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes the run of digits at the front; the result has no leading zeros.
std::string_view take_number(std::string_view& text) {
  const size_t end = static_cast<size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
  std::string_view number = text.substr(0, end);
  text.remove_prefix(end);
  number.remove_prefix(std::min(number.find_first_not_of('0'), number.size()));
  return number;
}

int compare_numbers(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

int compare_characters(char a, char b) { return static_cast<unsigned char>(a) - static_cast<unsigned char>(b); }

int compare_natural(std::string_view a, std::string_view b) {
  const std::string_view whole_a = a;
  const std::string_view whole_b = b;
  while (!a.empty() && !b.empty()) {
    int order;
    if (is_digit(a[0]) && is_digit(b[0])) {
      order = compare_numbers(take_number(a), take_number(b));
    } else {
      order = compare_characters(a[0], b[0]);
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
    if (order != 0) return order;
  }
  if (a.empty() != b.empty()) return a.empty() ? -1 : 1;
  return whole_a.compare(whole_b);
}

std::string_view take_component(std::string_view& path) {
  const size_t end = std::min(path.find('/'), path.size());
  const std::string_view component = path.substr(0, end);
  path.remove_prefix(std::min(end + 1, path.size()));
  return component;
}

}  // namespace

bool natural_less(std::string_view a, std::string_view b) { return compare_natural(a, b) < 0; }

bool natural_path_less(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    const int order = compare_natural(take_component(a), take_component(b));
    if (order != 0) return order < 0;
  }
  return a.empty() && !b.empty();
}

}  // namespace vit
