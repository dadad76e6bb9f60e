#include "vit/core/dtype.h"

#include "vit/core/error.h"

namespace vit {

std::string_view dtype_name(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "fp32";
    case DType::bf16:
      return "bf16";
    case DType::i8:
      return "int8";
  }
  fail(ErrorKind::internal, "[dtype] value ", static_cast<int>(dtype), " is none of the element types");
}

DType parse_dtype(std::string_view name) {
  for (DType dtype : {DType::f32, DType::bf16, DType::i8})
    if (name == dtype_name(dtype)) return dtype;
  fail(ErrorKind::usage, "[dtype] wants fp32, bf16 or int8, got '", name, "'");
}

}  // namespace vit
