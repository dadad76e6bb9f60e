#include "vit/kernels/adamw.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/adamw.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <cmath>

#include "vit/core/error.h"
#include "vit/kernels/isa.h"
#include "vit/kernels/rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

void AdamwUpdate(const AdamwStep& step, const float* grad, int64_t count, float* p, float* m, float* v) {
  const hn::ScalableTag<float> d;
  // In double from the floats as they are, each factor rounded once.
  const double lr = static_cast<double>(step.lr), steps = static_cast<double>(step.step);
  const double beta1 = static_cast<double>(step.beta1), beta2 = static_cast<double>(step.beta2);
  const auto set = [=](double factor) HWY_ATTR { return hn::Set(d, static_cast<float>(factor)); };
  const auto keep = set(1.0 - lr * static_cast<double>(step.weight_decay));
  const auto new_m = set(1.0 - beta1), new_v = set(1.0 - beta2), old_v = hn::Set(d, step.beta2);
  const auto root_correction = set(std::sqrt(1.0 - std::pow(beta2, steps)));
  const auto step_size = set(lr / (1.0 - std::pow(beta1, steps)));
  const auto grad_scale = hn::Set(d, step.grad_scale), eps = hn::Set(d, step.eps);
  rows::ForEachVector(count, [=](int64_t i, auto access) HWY_ATTR {
    const auto g = hn::Mul(access.Load(grad + i), grad_scale);
    const auto old_m = access.Load(m + i);
    const auto m1 = hn::MulAdd(hn::Sub(g, old_m), new_m, old_m);
    const auto v1 = hn::MulAdd(hn::Mul(g, g), new_v, hn::Mul(access.Load(v + i), old_v));
    const auto denominator = hn::Add(hn::Div(hn::Sqrt(v1), root_correction), eps);
    const auto decayed = hn::Mul(access.Load(p + i), keep);
    access.Store(hn::NegMulAdd(step_size, hn::Div(m1, denominator), decayed), p + i);
    access.Store(m1, m + i);
    access.Store(v1, v + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {

HWY_EXPORT(AdamwUpdate);

void adamw_update(const AdamwStep& step, const float* grad, int64_t count, float* p, float* m, float* v) {
  if (step.step < 1) fail(ErrorKind::internal, "[adamw_update] step: needs at least 1, has ", step.step);
  VIT_DISPATCH(AdamwUpdate)(step, grad, count, p, m, v);
}

}  // namespace vit
#endif  // HWY_ONCE
