#include "vit/kernels/isa.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/isa.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {

int64_t RunningTarget() { return HWY_TARGET; }

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {
namespace {

HWY_EXPORT(RunningTarget);

bool apply_once() {
  const Isa isa = active_isa();
  if (isa == detected_isa()) return true;
  // Highway orders the targets of an architecture from best (lowest bit) to worst.
  const int64_t first_allowed = isa >= Isa::avx512 ? HWY_AVX3 : isa == Isa::avx2 ? HWY_AVX2 : HWY_SSE4;
  hwy::DisableTargets(first_allowed - 1);
  limit_products(isa);
  return true;
}

}  // namespace

void apply_isa() {
  static const bool applied = apply_once();
  static_cast<void>(applied);
}

Isa kernel_isa() {
  const int64_t target = VIT_DISPATCH(RunningTarget)();
  if (target <= HWY_AVX3) return Isa::avx512;
  return target <= HWY_AVX2 ? Isa::avx2 : Isa::baseline;
}

bool avx512_bf16_runs() {
#if defined(__x86_64__)
  return active_isa() == Isa::avx512_bf16 && kernel_isa() >= Isa::avx512;
#else
  return false;
#endif
}

bool avx512_vnni_runs() {
#if defined(__x86_64__)
  return active_isa() >= Isa::avx512 && __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

}  // namespace vit
#endif  // HWY_ONCE
