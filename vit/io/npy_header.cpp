#include "vit/io/npy_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <system_error>

#include "vit/core/error.h"
#include "vit/core/text.h"

namespace vit {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMostText = 10000;  // as NumPy itself
constexpr std::size_t kMostDimensions = 64;
constexpr int64_t kMostElementBytes = 1 << 20;

/// Reads the one literal of Python that NumPy writes: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class Literal {
 public:
  Literal(std::string_view text, std::string_view what) : text_(text), what_(what) {}

  NpyHeader read() {
    NpyHeader header;
    std::optional<bool> order;
    bool shaped = false;
    expect('{');
    while (!take('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr" && header.type.empty()) {
        header.type = quoted();
        if (header.type.empty()) reject("descr is empty");
      } else if (key == "fortran_order" && !order) {
        order = flag();
      } else if (key == "shape" && !shaped) {
        shaped = true;
        header.shape = tuple();
      } else {
        reject("field '", printable(key), "' is unknown or there twice");
      }
      if (take(',')) continue;
      expect('}');
      break;
    }
    skip_blanks();
    if (at_ != text_.size()) reject("something follows the dictionary");
    if (header.type.empty() || !order || !shaped) reject("needs the fields descr, fortran_order and shape");
    header.fortran_order = *order;
    return header;
  }

  template <class... Parts>
  [[noreturn]] void reject(const Parts&... parts) const {
    fail(ErrorKind::data, what_, ": header of .npy: ", parts...);
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool take(char letter) {
    skip_blanks();
    if (at_ == text_.size() || text_[at_] != letter) return false;
    ++at_;
    return true;
  }
  void expect(char letter) {
    if (!take(letter)) reject("needs ", letter, " at letter ", at_);
  }
  bool take_word(std::string_view word) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  std::string_view quoted() {
    skip_blanks();
    const char quote = at_ < text_.size() ? text_[at_] : ' ';
    const std::size_t end = quote == '\'' || quote == '"' ? text_.find(quote, at_ + 1) : std::string_view::npos;
    if (end == std::string_view::npos) reject("needs a string at letter ", at_, "; records are not read");
    const std::string_view word = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return word;
  }
  bool flag() {
    if (take_word("True")) return true;
    if (!take_word("False")) reject("fortran_order needs True or False");
    return false;
  }
  int64_t whole_number() {
    skip_blanks();
    int64_t value = 0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc{} || value < 0) reject("shape needs whole numbers of at least 0 that fit into 63 bits");
    at_ += static_cast<std::size_t>(end - begin);
    take_word("L");  // as Python 2 wrote them
    return value;
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> numbers;
    expect('(');
    while (!take(')')) {
      if (numbers.size() == kMostDimensions) reject("shape has more than ", kMostDimensions, " dimensions");
      numbers.push_back(whole_number());
      if (take(',')) continue;
      if (numbers.size() == 1) reject("shape needs to be a tuple");  // (3) is a number in Python
      expect(')');
      break;
    }
    return numbers;
  }

  std::string_view text_;
  std::string_view what_;
  std::size_t at_ = 0;
};

TensorNumber number_of(std::string_view type) {
  if (type == "<f8") return TensorNumber::f64;
  if (type == "<f4") return TensorNumber::f32;
  if (type == "<f2") return TensorNumber::f16;
  if (type == "<V2" || type == "|V2") return TensorNumber::bf16;
  return TensorNumber::other;
}

/// Of '<f4' and the like: order of bytes, kind, size, and of dates a unit behind it ('<M8[ns]').
int64_t element_bytes_of(const Literal& literal, std::string_view type) {
  const bool formed = type.size() > 1 && std::string_view("<>|").find(type[0]) != std::string_view::npos;
  const char kind = formed ? type[1] : ' ';
  if (kind == 'O') literal.reject("objects of Python (descr '", printable(type), "') are not read");
  int64_t size = -1;
  const std::string_view rest = type.substr(formed ? 2 : 0);
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), size);
  const bool whole = end == rest.data() + rest.size() || ((kind == 'm' || kind == 'M') && *end == '[');
  if (std::string_view("biufcSUVmM").find(kind) == std::string_view::npos || error != std::errc{} || !whole ||
      size < 0 || size > kMostElementBytes)
    literal.reject("descr '", printable(type), "' is no type of NumPy");
  return kind == 'U' ? 4 * size : size;
}

uint32_t little_endian(std::span<const uint8_t> bytes) {
  uint32_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) value |= uint32_t{bytes[i]} << (8 * i);
  return value;
}

}  // namespace

NpyHeader read_npy_header(FunctionRef<void(std::span<uint8_t>)> next, std::string_view what) {
  std::array<uint8_t, kMagic.size() + 2> start{};
  next(start);
  const std::string_view magic(reinterpret_cast<const char*>(start.data()), kMagic.size());
  const int version = start[kMagic.size()];
  if (magic != kMagic) fail(ErrorKind::data, what, " is no .npy: it does not begin with \\x93NUMPY");
  if (version < 1 || version > 3 || start.back() != 0)
    fail(ErrorKind::data, what, ": header of .npy: version ", version, '.', +start.back(),
         " is not known, 1.0 to 3.0 are");
  std::array<uint8_t, 4> length{};
  const std::span<uint8_t> used = std::span(length).first(version == 1 ? 2 : 4);
  next(used);
  const uint32_t bytes = little_endian(used);
  if (bytes > kMostText)
    fail(ErrorKind::data, what, ": header of .npy: has ", bytes, " bytes, at most ", kMostText, " are read");
  std::string text(bytes, '\0');
  next({reinterpret_cast<uint8_t*>(text.data()), text.size()});

  Literal literal(text, what);
  NpyHeader header = literal.read();
  header.element_bytes = element_bytes_of(literal, header.type);
  header.number = number_of(header.type);
  const auto count = count_elements(header.shape, 8 * std::max<int64_t>(1, header.element_bytes));
  if (!count) literal.reject("shape has more elements than any file");
  header.count = *count;
  header.bytes = static_cast<int64_t>(start.size() + used.size() + text.size());
  return header;
}

}  // namespace vit
