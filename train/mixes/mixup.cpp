// Mixup: Zhang et al., arXiv:1710.09412. As timm's batch mode, one share a batch, drawn from Beta(alpha, alpha); but an
// image is mixed with its neighbour in the batch, 0 with 1, 2 with 3, so that any even part of a batch mixes alone. The
// last of an odd number stays as it is. The order of the batch is random already.
#include <algorithm>
#include <cmath>
#include <utility>

#include "train/mixes/batch_mix.h"
#include "vit/core/parallel.h"

namespace vit {
namespace {

/// log of a number of Gamma(alpha, 1): Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS
/// 2000. As a logarithm, because it underflows for small alpha.
double log_gamma_variate(double alpha, RandomStream& random) {
  const auto uniform = [&random] { return (static_cast<double>(random.next_u32()) + 0.5) * 0x1p-32; };
  if (alpha < 1) {
    const double larger = log_gamma_variate(alpha + 1, random);
    return larger + std::log(uniform()) / alpha;
  }
  const double d = alpha - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const auto x = static_cast<double>(random.normal());
    const double root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log(uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return std::log(d * v);
  }
}

/// A number of Beta(alpha, alpha).
float draw_share(double alpha, RandomStream& random) {
  const double first = log_gamma_variate(alpha, random);
  const double second = log_gamma_variate(alpha, random);
  return static_cast<float>(1 / (1 + std::exp(second - first)));
}

}  // namespace

bool mixup_is_active(const TrainConfig& config) { return config.mixup > 0; }

void mixup(const TrainConfig& config, RandomStream& random, MixBatch& batch) {
  const float share = draw_share(static_cast<double>(config.mixup), random), rest = 1 - share;
  const int64_t pairs = batch.rows.rows() / 2;
  parallel_for(pairs, 4, [&](int64_t begin, int64_t end) {
    for (int64_t pair = begin; pair < end; ++pair) {
      float* x = batch.rows[2 * pair].data();
      float* y = batch.rows[2 * pair + 1].data();
      for (int64_t i = 0; i < batch.rows.cols(); ++i) {
        const float first = x[i], second = y[i];
        x[i] = share * first + rest * second;
        y[i] = share * second + rest * first;
      }
    }
  });
  for (std::size_t image = 0; image + 1 < batch.second.size(); image += 2) {
    std::swap(batch.second[image], batch.second[image + 1]);
    batch.share[image] = batch.share[image + 1] = share;
  }
}

}  // namespace vit
