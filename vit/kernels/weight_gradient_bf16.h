// The gradient of a Linear's parameters with AVX512_BF16: between weight_gradient.cpp and
// weight_gradient_avx512_bf16.cpp. No views and no templates, as in attention_bf16.h.
#pragma once

#include <cstdint>

#include "vit/kernels/bf16_rows.h"

namespace vit {

struct Bf16WeightGradient {
  static constexpr int64_t kTileOutputs = 8;    // rows of a register tile
  static constexpr int64_t kPanelVectors = 3;   // its columns, in vectors of 16
  static constexpr int64_t kMostPairs = 96;     // pairs of rows of dy and x at a time: a panel of x in the first cache,
  static constexpr int64_t kMostOutputs = 768;  // and what there is of dy in the second

  Bf16Rows dy, x;  // [M, O], [M, I]
  float* dw;       // [O, I]; I in whole vectors
  int64_t dw_stride;
  float* dbias;  // null = not wanted
  // Scratch.
  Bf16Pair *dy_tiles, *x_panels;
};

constexpr int64_t bf16_dy_tiles_size(int64_t outputs) {
  const int64_t most = outputs < Bf16WeightGradient::kMostOutputs ? outputs : Bf16WeightGradient::kMostOutputs;
  return (most + 31) / 32 * 32 * Bf16WeightGradient::kMostPairs;
}
constexpr int64_t bf16_x_panels_size(int64_t inputs) {
  constexpr int64_t kColumns = 16 * Bf16WeightGradient::kPanelVectors;
  return (inputs + kColumns - 1) / kColumns * kColumns * Bf16WeightGradient::kMostPairs;
}

void add_weight_gradient_avx512_bf16(const Bf16WeightGradient& call);

}  // namespace vit
