#include "vit/layers/context.h"

#include "vit/core/rng.h"

namespace vit {
namespace {

uint64_t stream_of(const Shard& shard, int64_t image, int site) {
  // 2^32 steps of 2^20 images and 2^12 sites would need 64 bits: mixed by Philox instead of packed.
  const auto image_key = static_cast<uint64_t>(shard.first_image + image);
  const auto step_key = static_cast<uint64_t>(shard.step);
  const auto mixed = philox4x32({static_cast<uint32_t>(image_key), static_cast<uint32_t>(image_key >> 32),
                                 static_cast<uint32_t>(site), static_cast<uint32_t>(RandomPurpose::dropout)},
                                {static_cast<uint32_t>(step_key), static_cast<uint32_t>(step_key >> 32)});
  return mixed[0] | (uint64_t{mixed[1]} << 32);
}

}  // namespace

ConstMatrix for_product(ConstMatrix x, Matrix scratch) {
  if (x.type() == scratch.type()) return x;
  const Matrix copy = scratch.slice(0, x.rows());
  convert(x, copy);
  return copy;
}

DropoutMask image_mask(const Shard& shard, int64_t image, float rate, int site) {
  return {rate, shard.regularization.seed, stream_of(shard, image, site)};
}

void dropout_rows(const Shard& shard, Matrix x, float rate, int site) {
  if (rate <= 0) return;
  const int64_t own = shard.own();
  for (int64_t b = 0; b < shard.images; ++b) {
    const Matrix image = x.slice(b * own, own);
    dropout(image, image_mask(shard, b, rate, site), shard.first_token * x.cols(), image);
  }
}

float drop_path_scale(const Shard& shard, int64_t image, float rate, int site) {
  if (rate <= 0) return 1;
  RandomStream random(shard.regularization.seed, RandomPurpose::drop_path, stream_of(shard, image, site));
  return random.uniform() < rate ? 0 : 1 / (1 - rate);
}

void drop_path_rows(const Shard& shard, TensorView<float> x, float rate, int site) {
  if (rate <= 0) return;
  const int64_t count = shard.own() * x.cols();
  for (int64_t b = 0; b < shard.images; ++b) {
    float* image = x.data() + b * count;
    scale(image, count, drop_path_scale(shard, b, rate, site), image);
  }
}

}  // namespace vit
