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

// The labels of a row; `weight` is that of the first, and 1 where there is no second.
struct RowLabels {
  int32_t first, second;
  float weight;

  RowLabels(const LabelPairs& labels, int64_t row)
      : first(labels.first[row]),
        second(labels.second == nullptr ? first : labels.second[row]),
        weight(labels.second == nullptr ? 1.0f : labels.weight[row]) {}

  // The logit of the target above `base`. A logit without weight may be -inf.
  double Logit(const float* x, float base) const {
    double logit = 0;
    if (weight != 0) logit = static_cast<double>(weight) * static_cast<double>(x[first] - base);
    if (weight != 1) logit += (1.0 - static_cast<double>(weight)) * static_cast<double>(x[second] - base);
    return logit;
  }
};

// loss = log(sum exp x) - (1 - s) x[label] - s mean(x);  d loss / d x = softmax(x) - (1 - s) onehot - s / C.
void CrossEntropy(TensorView<const float> logits, const LabelPairs& labels, float smoothing, float scale, float* losses,
                  TensorView<float> dlogits) {
  const hn::ScalableTag<float> d;
  const int64_t classes = logits.cols();
  for (int64_t row = 0; row < logits.rows(); ++row) {
    const float* x = &logits(row, 0);
    const float largest = RowMax(x, classes);
    const float sum = SumOfExponentials(x, classes, largest);
    const auto vmax = hn::Set(d, largest);
    // All differences are to the maximum, so that large logits lose no digits.
    const RowLabels label(labels, row);
    double target = (1.0 - static_cast<double>(smoothing)) * label.Logit(x, largest);
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
    dx[label.first] -= scale * (1.0f - smoothing) * label.weight;
    if (label.weight != 1) dx[label.second] -= scale * (1.0f - smoothing) * (1.0f - label.weight);
  }
}

// loss = T log(sum exp x) - sum t x, T = sum t;  d loss / d x = T softmax(x) - t.
void CrossEntropySoft(TensorView<const float> logits, TensorView<const float> targets, float smoothing, float scale,
                      float* losses, TensorView<float> dlogits) {
  const rows::DF d;
  const int64_t classes = logits.cols();
  const auto keep = hn::Set(d, 1.0f - smoothing), smooth = hn::Set(d, smoothing / static_cast<float>(classes));
  for (int64_t row = 0; row < logits.rows(); ++row) {
    const float *x = &logits(row, 0), *t = &targets(row, 0);
    const float largest = RowMax(x, classes);
    const float sum = SumOfExponentials(x, classes, largest);
    const auto vmax = hn::Set(d, largest);
    const auto target = [=](auto v) HWY_ATTR { return hn::MulAdd(v, keep, smooth); };
    const float total =
        rows::SumOver(classes, [=](int64_t i, auto access) HWY_ATTR { return target(access.Load(t + i)); });
    const float logit = rows::SumOver(classes, [=](int64_t i, auto access) HWY_ATTR {
      const auto share = target(access.Load(t + i));
      const auto term = hn::Mul(share, hn::Sub(access.Load(x + i), vmax));
      return hn::IfThenZeroElse(hn::Eq(share, hn::Zero(d)), term);
    });
    losses[row] = static_cast<float>(std::log(static_cast<double>(sum)) * static_cast<double>(total) -
                                     static_cast<double>(logit));
    if (!dlogits) continue;
    const auto factor = hn::Set(d, scale * total / sum), minus_scale = hn::Set(d, -scale);
    rows::Map(x, t, classes, &dlogits(row, 0), [=](auto v, auto share) HWY_ATTR {
      return hn::MulAdd(math::ExpBelow88(d, hn::Sub(v, vmax)), factor, hn::Mul(target(share), minus_scale));
    });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace vit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit {

HWY_EXPORT(CrossEntropy);
HWY_EXPORT(CrossEntropySoft);

namespace {

void check_logits(TensorView<const float> logits, TensorView<float> dlogits) {
  check_matrix("cross_entropy: logits", logits, logits.rows(), logits.cols());
  if (dlogits) check_matrix("cross_entropy: dlogits", dlogits, logits.rows(), logits.cols());
}

void check_labels(const int32_t* labels, int64_t rows, int64_t classes) {
  for (int64_t row = 0; row < rows; ++row)
    if (labels[row] < 0 || labels[row] >= classes)
      fail(ErrorKind::internal, "[cross_entropy] label of row ", row, ": needs 0 to ", classes - 1, ", has ",
           labels[row]);
}

}  // namespace

void cross_entropy(TensorView<const float> logits, const int32_t* labels, float label_smoothing, float scale,
                   float* losses, TensorView<float> dlogits) {
  check_logits(logits, dlogits);
  check_labels(labels, logits.rows(), logits.cols());
  VIT_DISPATCH(CrossEntropy)(logits, {labels, nullptr, nullptr}, label_smoothing, scale, losses, dlogits);
}

void cross_entropy(TensorView<const float> logits, const LabelPairs& labels, float label_smoothing, float scale,
                   float* losses, TensorView<float> dlogits) {
  check_logits(logits, dlogits);
  check_labels(labels.first, logits.rows(), logits.cols());
  check_labels(labels.second, logits.rows(), logits.cols());
  for (int64_t row = 0; row < logits.rows(); ++row)
    if (!(labels.weight[row] >= 0 && labels.weight[row] <= 1))
      fail(ErrorKind::internal, "[cross_entropy] weight of row ", row, ": needs 0 to 1, has ", labels.weight[row]);
  VIT_DISPATCH(CrossEntropy)(logits, labels, label_smoothing, scale, losses, dlogits);
}

void cross_entropy_soft(TensorView<const float> logits, TensorView<const float> targets, float label_smoothing,
                        float scale, float* losses, TensorView<float> dlogits) {
  check_logits(logits, dlogits);
  check_matrix("cross_entropy_soft: targets", targets, logits.rows(), logits.cols());
  VIT_DISPATCH(CrossEntropySoft)(logits, targets, label_smoothing, scale, losses, dlogits);
}

}  // namespace vit
#endif  // HWY_ONCE
