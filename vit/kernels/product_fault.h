// Which types the product library multiplies rightly and fast on this processor.
#pragma once

#include <string>

#include "vit/core/dtype.h"

namespace vit {

/// Why products of the type would be wrong or slow here, in a few words; empty where they serve. Tried once for each
/// type, on the processor as VIT_ISA and the product library's own settings leave it. Throws Error (usage) when VIT_ISA
/// is not a known word.
const std::string& product_fault(DType type);

/// The part of it that the library answers (defined in gemm.cpp): no implementation, or one without vector code.
std::string implementation_fault(DType type);

}  // namespace vit
