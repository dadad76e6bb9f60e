// Makes the kernels use the instruction set that vit/core/cpu.h chose, and tells which one they run.
#pragma once

#include "vit/core/cpu.h"

namespace vit {

/// Applies active_isa() to the vector kernels and to the product library, once. Every kernel calls it before its
/// first work; nobody else needs to. Throws Error (usage) when VIT_ISA is not a known word.
void apply_isa();

/// What the vector kernels really run; avx512 for avx512_bf16 too, as they have no bf16 arithmetic.
Isa kernel_isa();

/// Whether own kernels with AVX512_BF16 may run, which Highway has no target for.
bool avx512_bf16_runs();

/// Whether own code with AVX512_VNNI may run.
bool avx512_vnni_runs();

/// The part of apply_isa() and kernel_isa() for the product library (defined in gemm.cpp).
void limit_products(Isa isa);
Isa product_isa();

}  // namespace vit

/// HWY_DYNAMIC_DISPATCH with the chosen instruction set.
#define VIT_DISPATCH(function) (::vit::apply_isa(), HWY_DYNAMIC_DISPATCH(function))
