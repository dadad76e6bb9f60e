// Element types of weights and activations.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace vit {

enum class DType { f32, bf16, i8 };

/// The upper half of a float: 8 bits of mantissa, the range of fp32. For storage; arithmetic is in fp32.
struct BFloat16 {
  uint16_t bits = 0;
};
inline float to_float(BFloat16 x) { return std::bit_cast<float>(uint32_t{x.bits} << 16); }
/// Rounds to nearest, ties to even; NaN stays NaN.
inline BFloat16 to_bf16(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if (x != x) return {static_cast<uint16_t>((bits >> 16) | 0x40)};
  return {static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16)};
}

/// The DType of a C++ type.
template <class T>
inline constexpr DType dtype_of = DType::f32;
template <>
inline constexpr DType dtype_of<BFloat16> = DType::bf16;
template <>
inline constexpr DType dtype_of<int8_t> = DType::i8;

constexpr int64_t dtype_bytes(DType dtype) { return dtype == DType::f32 ? 4 : dtype == DType::bf16 ? 2 : 1; }

/// "fp32", "bf16", "int8": the words of the command line and of the files.
std::string_view dtype_name(DType dtype);
/// Throws Error (usage) for another word.
DType parse_dtype(std::string_view name);

}  // namespace vit
