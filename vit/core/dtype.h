// Element types of weights and activations.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vit {

enum class DType { f32, bf16, i8 };

/// "fp32", "bf16", "int8": the words of the command line and of the files.
std::string_view dtype_name(DType dtype);
/// Throws Error (usage) for another word.
DType parse_dtype(std::string_view name);

}  // namespace vit
