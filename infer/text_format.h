// Small pieces of text that several outputs share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vit {

/// A field of a CSV file, quoted as RFC 4180 says when it holds a comma, a quote or a line break.
std::string csv_field(std::string_view text);
/// The same of bytes that may be anything: csv_field of printable().
std::string csv_text(std::string_view bytes);

/// The shortest text that reads back as the same float.
std::string shortest(float value);

/// The double whose shortest text is that of the float, so that JSON shows 0.1 and not 0.10000000149011612.
double json_number(float value);

/// Fixed digits: fixed(98.234, 1) = "98.2".
std::string fixed(double value, int digits);

/// "98.23 %" of a rate in 0..1.
std::string percent(double rate, int digits = 2);

/// Columns that UTF-8 text takes on a terminal, one a code point.
int64_t display_width(std::string_view text);
/// Filled up with blanks to `width` columns.
std::string pad_right(std::string_view text, int64_t width);
std::string pad_left(std::string_view text, int64_t width);

}  // namespace vit
