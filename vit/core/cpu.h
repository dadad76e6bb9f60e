// What the processor can do and what of it is used.
#pragma once

#include <string>

namespace vit {

enum class Isa { baseline, avx2, avx512, avx512_bf16 };

/// The best instruction set of this processor, lowered by the environment variable VIT_ISA
/// (baseline, avx2, avx512, avx512_bf16). Read once. Throws Error (usage) for another word.
Isa active_isa();
std::string isa_name(Isa isa);
/// The processor's name as the system tells it.
std::string cpu_name();
/// Applies active_isa() to the vector kernels and to the product library; called by the first kernel.
void apply_isa();

/// Peak memory of this process so far, in bytes.
long peak_resident_bytes();

}  // namespace vit
