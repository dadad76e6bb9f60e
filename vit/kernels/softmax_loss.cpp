#include "vit/kernels/softmax_loss.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/softmax_loss.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <cmath>
#include <limits>

#include "vit/kernels/check_shape.h"
#include "vit/kernels/isa.h"
#include "vit/kernels/math_inl.h"
#include "vit/kernels/rows_inl.h"

HWY_BEFORE_NAMESPACE();
namespace vit {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// The largest element; any element when there is a NaN, which then spoils the sum of the exponentials.
HWY_INLINE float RowMax(const float* x, int64_t n) {
  const hn::ScalableTag<float> d;
  const int64_t step = rows::VectorSize();
  if (n < step) {
    float largest = x[0];
    for (int64_t i = 1; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
    return largest;
  }
  auto largest = hn::LoadU(d, x);
  for (int64_t i = step; i + step <= n; i += step) largest = hn::Max(largest, hn::LoadU(d, x + i));
  largest = hn::Max(largest, hn::LoadU(d, x + n - step));  // overlaps what was read before
  return hn::GetLane(hn::MaxOfLanes(d, largest));
}

HWY_INLINE float SumOfExponentials(const float* x, int64_t n, float largest) {
  const hn::ScalableTag<float> d;
  const auto vmax = hn::Set(d, largest);
  return rows::SumOver(
      n, [=](int64_t i, auto access) HWY_ATTR { return math::ExpBelow88(d, hn::Sub(access.Load(x + i), vmax)); });
}

// loss = log(sum exp x) - (1 - s) x[label] - s mean(x);  d loss / d x = softmax(x) - (1 - s) onehot - s / C.
void CrossEntropy(TensorView<const float> logits, const int32_t* labels, float smoothing, float scale, float* losses,
                  TensorView<float> dlogits) {
  const hn::ScalableTag<float> d;
  const int64_t classes = logits.cols();
  for (int64_t row = 0; row < logits.rows(); ++row) {
    const float* x = &logits(row, 0);
    const float largest = RowMax(x, classes);
    const float sum = SumOfExponentials(x, classes, largest);
    const auto vmax = hn::Set(d, largest);
    // All differences are to the maximum, so that large logits lose no digits.
    double target = (1.0 - static_cast<double>(smoothing)) * static_cast<double>(x[labels[row]] - largest);
    if (smoothing > 0) {
      const auto below_max = [=](int64_t i, auto access) HWY_ATTR { return hn::Sub(access.Load(x + i), vmax); };
      target += static_cast<double>(smoothing) * static_cast<double>(rows::SumOver(classes, below_max)) /
                static_cast<double>(classes);
    }
    losses[row] = static_cast<float>(std::log(static_cast<double>(sum)) - target);
    if (!dlogits) continue;
    const auto factor = hn::Set(d, scale / sum);
    const auto smooth_part = hn::Set(d, -scale * smoothing / static_cast<float>(classes));
    float* dx = &dlogits(row, 0);
    rows::Map(x, classes, dx,
              [=](auto v) HWY_ATTR { return hn::MulAdd(math::ExpBelow88(d, hn::Sub(v, vmax)), factor, smooth_part); });
    dx[labels[row]] -= scale * (1.0f - smoothing);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {

HWY_EXPORT(CrossEntropy);

void cross_entropy(TensorView<const float> logits, const int32_t* labels, float label_smoothing, float scale,
                   float* losses, TensorView<float> dlogits) {
  check_matrix("cross_entropy: logits", logits, logits.rows(), logits.cols());
  if (dlogits) check_matrix("cross_entropy: dlogits", dlogits, logits.rows(), logits.cols());
  for (int64_t row = 0; row < logits.rows(); ++row)
    if (labels[row] < 0 || labels[row] >= logits.cols())
      fail(ErrorKind::internal, "[cross_entropy] label of row ", row, ": needs 0 to ", logits.cols() - 1, ", has ",
           labels[row]);
  VIT_DISPATCH(CrossEntropy)(logits, labels, label_smoothing, scale, losses, dlogits);
}

}  // namespace vit
#endif  // HWY_ONCE
