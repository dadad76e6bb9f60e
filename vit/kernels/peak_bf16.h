// Multiply-adds in registers with the instructions that Highway has no names for.
#pragma once

#include <cstdint>

namespace vit {

/// Operations done (two a multiply-add) by chains of bf16 or int8 dot products; `sink` keeps the result alive. Only
/// where avx512_bf16_runs(), or avx512_vnni_runs().
double dot_bf16(int64_t rounds, float* sink);
double dot_int8(int64_t rounds, float* sink);

}  // namespace vit
