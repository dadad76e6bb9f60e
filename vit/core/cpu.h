// What the processor can do and what of it is used.
#pragma once

#include <string>

namespace vit {

/// In rising order; avx512 is the F, BW, CD, DQ and VL parts together.
enum class Isa { baseline, avx2, avx512, avx512_bf16 };

/// The best instruction set of this processor.
Isa detected_isa();
/// detected_isa(), lowered by the environment variable VIT_ISA (baseline, avx2, avx512, avx512_bf16); a set that
/// the processor lacks lowers nothing. Read once. Throws Error (usage) for another word.
Isa active_isa();
std::string isa_name(Isa isa);
/// The processor's name as the system tells it.
std::string cpu_name();

/// Peak memory of this process so far, in bytes.
long peak_resident_bytes();

}  // namespace vit
