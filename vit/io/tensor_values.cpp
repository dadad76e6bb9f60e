#include "vit/io/tensor_values.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "vit/core/dtype.h"
#include "vit/core/error.h"

namespace vit {
namespace {

constexpr std::size_t kPiece = 64 << 10;  // elements at once: they stay in the cache while they are converted

std::size_t bytes_of(TensorNumber number) {
  return number == TensorNumber::f64 ? 8 : number == TensorNumber::f32 ? 4 : 2;
}

template <class Stored, class Convert>
void convert(std::span<const uint8_t> bytes, std::span<float> values, Convert to_value) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, bytes.data() + i * sizeof stored, sizeof stored);
    values[i] = to_value(stored);
  }
}

void convert_piece(TensorNumber number, std::span<const uint8_t> bytes, std::span<float> values) {
  if (number == TensorNumber::f64)
    convert<double>(bytes, values, [](double v) {
      // Beyond all floats the conversion itself would have no defined result.
      constexpr double kBeyond = 0x1.ffffffp127;  // rounds to infinity from here on
      return std::abs(v) < kBeyond ? static_cast<float>(v) : std::numeric_limits<float>::quiet_NaN();
    });
  if (number == TensorNumber::f16) convert<uint16_t>(bytes, values, half_to_float);
  if (number == TensorNumber::bf16)
    convert<uint16_t>(bytes, values, [](uint16_t bits) { return to_float(BFloat16{bits}); });
}

bool all_finite(std::span<const float> values) {
  constexpr uint32_t kExponent = 0x7F800000;
  uint32_t bad = 0;
  for (const float v : values) bad |= (std::bit_cast<uint32_t>(v) & kExponent) == kExponent ? 1u : 0u;
  return bad == 0;
}

[[noreturn]] void fail_not_finite(std::span<const float> piece, std::size_t before, std::string_view tensor) {
  const auto bad = std::find_if(piece.begin(), piece.end(), [](float v) { return !std::isfinite(v); });
  fail(ErrorKind::data, "[tensors] ", tensor, ": element ", before + static_cast<std::size_t>(bad - piece.begin()),
       " is ", std::isnan(*bad) ? "no number, or none that fp32 holds" : "infinite", "; weights need finite numbers");
}

}  // namespace

float half_to_float(uint16_t bits) {
  const uint32_t sign = (bits & 0x8000u) << 16;
  const uint32_t exponent = bits >> 10 & 31u;
  const uint32_t mantissa = bits & 1023u;
  const uint32_t small = std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(mantissa)) * 0x1p-24f);
  const uint32_t shifted = (exponent == 31 ? 255u : exponent + 112) << 23 | mantissa << 13;
  return std::bit_cast<float>(sign | (exponent == 0 ? small : shifted));
}

void read_values(TensorNumber number, std::span<float> values, FunctionRef<void(std::span<uint8_t>)> next,
                 std::string_view tensor) {
  std::vector<uint8_t> buffer(number == TensorNumber::f32 ? 0 : std::min(kPiece, values.size()) * bytes_of(number));
  for (std::size_t done = 0; done < values.size(); done += kPiece) {
    const std::span<float> piece = values.subspan(done, std::min(kPiece, values.size() - done));
    if (number == TensorNumber::f32) {
      next({reinterpret_cast<uint8_t*>(piece.data()), piece.size_bytes()});
    } else {
      const std::span<uint8_t> bytes = std::span(buffer).first(piece.size() * bytes_of(number));
      next(bytes);
      convert_piece(number, bytes, piece);
    }
    if (!all_finite(piece)) fail_not_finite(piece, done, tensor);
  }
}

std::optional<int64_t> count_elements(std::span<const int64_t> shape, int64_t bits) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (size != 0 && count > kMost / size) return std::nullopt;
    count *= size;
  }
  return count > kMost / bits ? std::nullopt : std::optional(count);
}

}  // namespace vit
