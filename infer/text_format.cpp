#include "infer/text_format.h"
#include "vit/core/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iomanip>
#include <sstream>

namespace vit {

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string csv_text(std::string_view bytes) { return csv_field(printable(bytes)); }

std::string shortest(float value) {
  std::array<char, 32> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc{} ? std::string(digits.data(), end) : std::string();
}

double json_number(float value) {
  const std::string text = shortest(value);
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string fixed(double value, int digits) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << std::fixed << std::setprecision(digits) << value;
  return out.str();
}

std::string percent(double rate, int digits) { return fixed(100 * rate, digits) + " %"; }

int64_t display_width(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

std::string pad_right(std::string_view text, int64_t width) {
  const int64_t blanks = std::max<int64_t>(0, width - display_width(text));
  return std::string(text) + std::string(static_cast<std::size_t>(blanks), ' ');
}

std::string pad_left(std::string_view text, int64_t width) {
  const int64_t blanks = std::max<int64_t>(0, width - display_width(text));
  return std::string(static_cast<std::size_t>(blanks), ' ') + std::string(text);
}

}  // namespace vit
