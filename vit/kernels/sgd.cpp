#include "vit/kernels/sgd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/sgd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "vit/core/error.h"
#include "vit/kernels/isa.h"
#include "vit/kernels/rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

void SgdUpdate(const SgdStep& step, const float* grad, int64_t count, float* p, float* v) {
  const rows::DF d;
  const auto lr = hn::Set(d, step.lr), momentum = hn::Set(d, step.momentum);
  const auto decay = hn::Set(d, step.weight_decay), grad_scale = hn::Set(d, step.grad_scale);
  const bool moves = step.momentum != 0, looks_ahead = step.nesterov;
  rows::ForEachVector(count, [=](int64_t i, auto access) HWY_ATTR {
    const auto old_p = access.Load(p + i);
    const auto g = hn::MulAdd(access.Load(grad + i), grad_scale, hn::Mul(old_p, decay));
    auto direction = g;
    if (moves) {
      const auto velocity = hn::MulAdd(access.Load(v + i), momentum, g);
      access.Store(velocity, v + i);
      direction = looks_ahead ? hn::MulAdd(velocity, momentum, g) : velocity;
    }
    access.Store(hn::NegMulAdd(lr, direction, old_p), p + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {

HWY_EXPORT(SgdUpdate);

void sgd_update(const SgdStep& step, const float* grad, int64_t count, float* p, float* v) {
  if (step.nesterov && step.momentum == 0)
    fail(ErrorKind::internal, "[sgd_update] momentum: nesterov needs more than 0");
  if (step.momentum != 0 && v == nullptr && count > 0)
    fail(ErrorKind::internal, "[sgd_update] v: momentum needs one, has none");
  VIT_DISPATCH(SgdUpdate)(step, grad, count, p, v);
}

}  // namespace vit
#endif  // HWY_ONCE
