#include "vit/core/dtype.h"

#include "vit/core/dtype_words.h"

namespace vit {

std::string_view dtype_name(DType dtype) { return word_of(dtype); }

DType parse_dtype(std::string_view name) { return parse_word<DType>(name, "dtype"); }

}  // namespace vit
