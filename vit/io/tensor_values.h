// Numbers of foreign tensors and how they become fp32.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "vit/core/function_ref.h"

namespace vit {

/// How an element is stored, little endian. Numbers that are not of these kinds are not read.
enum class TensorNumber { f64, f32, f16, bf16, other };

/// IEEE 754 binary16; exact.
float half_to_float(uint16_t bits);

/// Fills `values` with what `next` gives, piece by piece in the order of the elements: next(out) writes all of `out`.
/// Throws Error (data) that names `tensor` and the element for a number that is not finite, also one of f64 that no
/// float reaches.
void read_values(TensorNumber number, std::span<float> values, FunctionRef<void(std::span<uint8_t>)> next,
                 std::string_view tensor);

/// The product of the shape's dimensions, each at least 0; none where it, or the size of so many elements of `bits`
/// bits, is beyond int64_t.
std::optional<int64_t> count_elements(std::span<const int64_t> shape, int64_t bits);

}  // namespace vit
