// The whole training step: directional derivatives of its loss with every random regularisation on, and the same bits
// for any number of threads.
#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "tests/support/network_problem.h"
#include "vit/kernels/isa.h"

namespace vit {
namespace {

using test::NetworkProblem;

ModelConfig small_config(const std::string& pooling) {
  ModelConfig c;
  c.name = "small";
  c.image_size = 12;
  c.patch_size = 4;
  c.width = 16;
  c.depth = 3;
  c.heads = 2;
  c.mlp_width = 40;
  c.classes = 5;
  c.pooling = pooling;
  c.layer_scale = true;
  c.layer_scale_init = 0.5f;
  return c;
}

constexpr int64_t kImages = 13;  // no multiple of the shards

StepOptions all_regularization(DType dtype) {
  StepOptions o;
  o.dtype = dtype;
  o.objective = make_objective({.label_smoothing = 0.1f});
  o.dropout = 0.2f;
  o.attention_dropout = 0.3f;
  o.drop_path = 0.3f;
  o.seed = 11;
  o.micro_batch = 2;
  return o;
}

class Network : public testing::TestWithParam<std::tuple<const char*, DType>> {
 protected:
  void SetUp() override {
    if (dtype() == DType::bf16 && product_isa() < Isa::avx512_bf16) GTEST_SKIP() << "bf16 products need AVX512_BF16";
  }
  const char* pooling() const { return std::get<0>(GetParam()); }
  DType dtype() const { return std::get<1>(GetParam()); }
};

TEST_P(Network, DirectionalDerivatives) {
  const NetworkProblem problem(small_config(pooling()), kImages);
  test::expect_slopes(problem, all_regularization(dtype()), {.step = 2e-3f, .absolute = 2e-3});
}

TEST_P(Network, SameBitsForAnyThreads) {
  const NetworkProblem problem(small_config(pooling()), kImages);
  test::expect_same_bits_for_any_threads(problem, all_regularization(dtype()));
}

TEST_P(Network, SameBitsHoweverMuchIsComputedAgain) {
  const NetworkProblem problem(small_config(pooling()), kImages);
  test::expect_same_bits_however_much_is_recomputed(problem, all_regularization(dtype()));
}

INSTANTIATE_TEST_SUITE_P(Kinds, Network,
                         testing::Combine(testing::Values("token", "avg"), testing::Values(DType::f32, DType::bf16)),
                         [](const auto& p) {
                           return std::string(std::get<0>(p.param) == std::string("avg") ? "mean_" : "token_") +
                                  std::string(dtype_name(std::get<1>(p.param)));
                         });

}  // namespace
}  // namespace vit
