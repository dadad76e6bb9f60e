#include "vit/kernels/product_fault.h"

#include <algorithm>
#include <cstdint>

#include "vit/core/buffer.h"
#include "vit/kernels/gemm.h"

namespace vit {
namespace {

/// Whether sums of the largest int8 values are exact. Without VNNI the library adds pairs of products in 16 bits, where
/// they saturate.
bool large_sums_are_exact() {
  constexpr int64_t kDepth = 64, kOutputs = 16;
  constexpr float kTop = 127;
  AlignedBuffer<float> weight(kOutputs * kDepth), out(kOutputs);
  AlignedBuffer<int8_t> in(kDepth);
  std::ranges::fill(weight.span(), kTop);  // scale 1
  std::ranges::fill(in.span(), static_cast<int8_t>(kTop));
  PackedWeight packed;
  packed.pack({weight.data(), {kOutputs, kDepth}}, PackedWeight::Use::forward, {.type = DType::i8});
  packed.multiply(TensorView<const int8_t>(in.data(), {1, kDepth}), TensorView<float>(out.data(), {1, kOutputs}));
  return std::ranges::all_of(out.span(), [](float sum) { return sum == kDepth * kTop * kTop; });
}

std::string fault_of_int8() {
  for (const DType type : {DType::i8, DType::bf16})  // bf16 for the layers that stay in it
    if (std::string fault = implementation_fault(type); !fault.empty()) return fault;
  return large_sums_are_exact() ? "" : "without AVX512_VNNI sums of int8 products saturate at 16 bits";
}

}  // namespace

const std::string& product_fault(DType type) {
  static const std::string none;
  if (type == DType::f32) return none;
  if (type == DType::bf16) {
    static const std::string fault = implementation_fault(type);
    return fault;
  }
  static const std::string fault = fault_of_int8();
  return fault;
}

}  // namespace vit
