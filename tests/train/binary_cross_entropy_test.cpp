#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "train/objective.h"

namespace vit {
namespace {

// torch.nn.functional.binary_cross_entropy_with_logits(x, 0.8 t + 0.2 / 4, reduction='none').mean(1), in double.
TEST(BinaryCrossEntropy, FollowsTorch) {
  const float logits[] = {1, -2, 0.5f, 3, 0, 0.25f, -1, 2, 4, 1, 1, -3};
  const int32_t first[] = {0, 3, 2}, second[] = {1, 0, 0};
  const float share[] = {0.7f, 1, 1};
  const double losses[] = {1.314463508578761, 0.5741940747499961, 1.4358151636319993};
  const double gradients[] = {
      0.030264644657501227,  -0.04269926949447061,  0.14311483280046364,  0.22564353170560833, 0.1125,
      0.1280441252214495,    0.05473535534249878,   0.007699269494470556, 0.2330034475094771,  0.1702646446575012,
      -0.029735355342498798, -0.0006435317056083054};
  std::vector<float> loss(3), dlogits(12);
  TrainConfig config;
  config.objective = "binary_cross_entropy";
  config.label_smoothing = 0.2f;
  make_objective(config)->run({logits, {3, 4}}, {.labels = first, .second = second, .share = share}, 2, loss.data(),
                              {dlogits.data(), {3, 4}});
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(static_cast<double>(loss[i]), losses[i], 1e-6) << i;
  for (std::size_t i = 0; i < 12; ++i) EXPECT_NEAR(static_cast<double>(dlogits[i]), 2 * gradients[i], 1e-6) << i;
}

}  // namespace
}  // namespace vit
