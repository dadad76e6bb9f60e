// Gradients with bf16 products near those with fp32 ones, which the other tests of this folder compare with double.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "tests/support/layer_passes.h"
#include "vit/kernels/isa.h"

namespace vit {
namespace {

using test::LayerBench;
using test::Pass;
using test::relative_error;

// Rounding to bf16 is 0.2 % rms of an element; a few roundings stand in a row here.
constexpr double kLimit = 0.02;

/// pass(bench) on a bench of each type gives about the same gradients, and not quite the same: the products were bf16.
template <class RunPass>
void expect_near_fp32(RunPass pass) {
  LayerBench fp32(DType::f32), bf16(DType::bf16);
  const Pass want = pass(fp32), got = pass(bf16);
  ASSERT_TRUE(std::ranges::equal(want.x.span(), got.x.span()));
  for (const Parameter& p : fp32.layout_.all())
    EXPECT_LT(relative_error(bf16.gradient_of(p), fp32.gradient_of(p)), kLimit) << p.name;
  const double error = relative_error(got.dx.span(), want.dx.span());
  EXPECT_LT(error, kLimit);
  EXPECT_GT(error, 1e-5);
}

class Bf16Gradient : public testing::Test {
 protected:
  void SetUp() override {
    if (product_isa() < Isa::avx512_bf16) GTEST_SKIP() << "bf16 products need AVX512_BF16";
  }
};

const std::array<int32_t, 2> kSome{3, 5};

TEST_F(Bf16Gradient, Linear) {
  expect_near_fp32([](LayerBench& bench) { return test::linear_pass(bench, 24, 33, true); });
}

TEST_F(Bf16Gradient, Mlp) {
  for (Activation activation : {Activation::gelu_erf, Activation::gelu_tanh, Activation::quick_gelu})
    expect_near_fp32([&](LayerBench& bench) {
      return test::mlp_pass(bench, {.width = 24, .hidden = 70, .activation = activation});
    });
}

TEST_F(Bf16Gradient, Attention) {
  for (const bool class_row : {false, true})
    for (const int32_t* valid : {static_cast<const int32_t*>(nullptr), kSome.data()}) {
      SCOPED_TRACE(testing::Message() << "class_row " << class_row << (valid ? " valid" : ""));
      expect_near_fp32(
          [&](LayerBench& bench) { return test::attention_pass(bench, {.width = 32, .heads = 2}, class_row, valid); });
    }
}

TEST_F(Bf16Gradient, Block) {
  for (const bool class_row : {false, true})
    for (const bool layer_scale : {false, true})
      for (const int32_t* valid : {static_cast<const int32_t*>(nullptr), kSome.data()}) {
        SCOPED_TRACE(testing::Message() << "class_row " << class_row << " layer_scale " << layer_scale
                                        << (valid ? " valid" : ""));
        expect_near_fp32([&](LayerBench& bench) {
          return test::block_pass(bench, {.width = 32, .layer_scale = layer_scale, .class_row = class_row},
                                  test::plain_parts({.width = 32, .heads = 2, .mlp_width = 70}), valid);
        });
      }
}

}  // namespace
}  // namespace vit
