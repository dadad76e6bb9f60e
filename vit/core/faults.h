// Checks of options: the ranges of numbers, and all faults of a struct told at once.
#pragma once

#include <cmath>
#include <iomanip>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>

#include "vit/core/error.h"

namespace vit {

/// The numbers that an option may have. NaN lies in no range.
struct Range {
  double low = 0;
  double high = 0;
  bool open_low = false;  // `low` itself is not in it
  bool open_high = false;

  bool contains(double x) const { return (open_low ? x > low : x >= low) && (open_high ? x < high : x <= high); }
  /// "1 to 10", "0 to below 1", "a number above 0", "at least 0".
  std::string text() const;
};

inline constexpr double kLargestFloat = std::numeric_limits<float>::max();
inline constexpr Range kAboveZero{.low = 0, .high = kLargestFloat, .open_low = true};
inline constexpr Range kAtLeastZero{.low = 0, .high = kLargestFloat};
inline constexpr Range kZeroToBelowOne{.low = 0, .high = 1, .open_high = true};
inline constexpr Range kZeroToOne{.low = 0, .high = 1};

inline std::string Range::text() const {
  const auto number = [](double x) {
    std::ostringstream out;
    out << std::setprecision(std::abs(x) < 1e6 ? 6 : 10) << x;
    return out.str();
  };
  if (high >= kLargestFloat) return (open_low ? "a number above " : "at least ") + number(low);
  return (open_low ? "above " : "") + number(low) + " to " + (open_high ? "below " : "") + number(high);
}

/// Collects what is wrong, "name: needs ..., has ..." each.
class Faults {
 public:
  template <class... Parts>
  void check(bool good, const Parts&... parts) {
    if (!good) text_ += concat(text_.empty() ? "" : "; ", parts...);
  }

  template <class Number>
  void range(std::string_view name, Number value, const Range& range) {
    check(range.contains(static_cast<double>(value)), name, ": needs ", range.text(), ", has ", value);
  }

  /// The faults that `check_part` throws.
  template <class Check>
  void collect(Check&& check_part) {
    try {
      check_part();
    } catch (const Error& error) {
      check(false, error.what());
    }
  }

  bool empty() const { return text_.empty(); }

  /// Throws them as one Error, if there are any: "[what] faults (where)".
  void raise(ErrorKind kind, std::string_view what, std::string_view where = {}) const {
    if (!empty()) fail(kind, "[", what, "] ", text_, where.empty() ? "" : concat(" (", where, ")"));
  }

 private:
  std::string text_;
};

}  // namespace vit
