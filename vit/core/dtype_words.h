// The words for element types on the command line and in files.
#pragma once

#include "vit/core/dtype.h"
#include "vit/core/words.h"

namespace vit {

template <>
inline constexpr Word<DType> kWords<DType>[] = {{DType::f32, "fp32"}, {DType::bf16, "bf16"}, {DType::i8, "int8"}};

}  // namespace vit
