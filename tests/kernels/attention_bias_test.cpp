#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/kernels/attention_reference.h"
#include "tests/support/each_target.h"
#include "tests/support/guarded_matrix.h"
#include "tests/support/tolerance.h"
#include "vit/kernels/attention.h"

namespace vit::test {
namespace {

using namespace attention;

class AttentionBiasTest : public testing::TestWithParam<Case> {};

TEST_P(AttentionBiasTest, ForwardAndGradientsMatchTheDefinition) {
  Reference want(GetParam());
  want.backward();
  Doubles dbias = want.dbias;
  for (double& x : dbias) x += double{Answer::kBefore};
  const auto within = [&](Tolerance fp32) { return GetParam().type == DType::bf16 ? kBf16 : fp32; };
  for_each_target([&] {
    const Answer got(want);
    expect_definition(got, want, within);
    expect_close(got.dbias, dbias, within(kFp32Gradient));
  });
}

std::vector<Case> cases() {
  std::vector<Case> list = {{1, 8}, {2, 5}, {5, 24}, {16, 32}, {17, 64}, {26, 24}, {65, 64}, {197, 64}, {300, 33}};
  list.insert(list.end(), {{513, 32},
                           {65, 64, 33},
                           {26, 24, 17},
                           {513, 32, 300},
                           {65, 64, -1, 0.1f},
                           {513, 8, 400, 0.5f},
                           {.tokens = 197, .head_size = 64, .query_count = 1},
                           {.tokens = 600, .head_size = 24, .valid = 500, .first_query = 90, .query_count = 101},
                           {.tokens = 65, .head_size = 64, .rate = 0.2f, .first_query = 30, .query_count = 7},
                           {.tokens = 3, .head_size = 16, .query_count = 40}});
  for (Case& c : list) c.bias = true;
  const auto fp32 = list;
  for (Case c : fp32) {
    c.type = DType::bf16;
    list.push_back(c);
  }
  return list;
}

INSTANTIATE_TEST_SUITE_P(All, AttentionBiasTest, testing::ValuesIn(cases()), name_of);

TEST(AttentionBiasReferenceTest, GradientMatchesDifferences) {
  for (const Case& shape : {Case{.tokens = 7, .head_size = 5, .bias = true},
                            Case{.tokens = 9, .head_size = 8, .valid = 7, .rate = 0.3f, .bias = true}}) {
    Reference reference(shape);
    reference.backward();
    for (std::size_t i = 0; i < reference.bias.size(); ++i) {
      double& x = reference.bias[i];
      const double before = x, step = 1e-5;
      x = before + step;
      const double above = reference.loss();
      x = before - step;
      const double below = reference.loss();
      x = before;
      EXPECT_NEAR((above - below) / (2 * step), reference.dbias[i], 1e-8);
    }
  }
}

/// Only the gradient that is asked for: the bias may be fixed, and that of no bias may be of interest.
TEST(AttentionBiasTest, GradientIsWantedOrNot) {
  for (const DType type : {DType::f32, DType::bf16}) {
    const Reference reference({.tokens = 40, .head_size = 32, .type = type, .bias = true});
    const auto gradients = [&](const auto& q, const auto& k, const auto& v, const auto& dout, bool with_dbias) {
      auto out = dout, dq = dout, dk = dout, dv = dout;
      GuardedMatrix lse(1, 40), scratch = scratch_for(reference.shape), dbias(40, 40);
      dbias.fill(0);
      const GuardedMatrix bias = score_sheet(reference.shape, reference.bias);
      AttentionOptions options = options_of(reference.shape);
      options.bias = bias.view();
      attention_forward(q.view(), k.view(), v.view(), options, out.view(), lse.data(), scratch.data());
      attention_backward(dout.view(), q.view(), k.view(), v.view(), out.view(), lse.data(), options,
                         {dq.view(), dk.view(), dv.view(), with_dbias ? dbias.view() : TensorView<float>()},
                         scratch.data());
      std::vector<float> all = dq.values();
      for (const auto* m : {&dk, &dv})
        for (const float x : m->values()) all.push_back(x);
      return all;
    };
    const auto check = [&]<class T>(T) {
      const auto of = [&](const Doubles& m) { return sheet<T>(reference.shape, m); };
      EXPECT_EQ(gradients(of(reference.q), of(reference.k), of(reference.v), of(reference.dout), true),
                gradients(of(reference.q), of(reference.k), of(reference.v), of(reference.dout), false));
    };
    for_each_target([&] { type == DType::bf16 ? check(BFloat16()) : check(float()); });
  }
}

TEST(AttentionBiasTest, AQuerysBitsDoNotDependOnItsCompany) {
  for (const DType type : {DType::f32, DType::bf16})
    for (const float rate : {0.0f, 0.1f}) {
      const Case whole{.tokens = 300, .head_size = 40, .valid = 290, .rate = rate, .type = type, .bias = true};
      const Reference all(whole);
      for_each_target([&] {
        const Answer want(all);
        for (const auto& [first, count] : {std::pair<int64_t, int64_t>{0, 1}, {299, 1}, {7, 5}, {64, 150}}) {
          Case part = whole;
          part.first_query = first;
          part.query_count = count;
          Reference some(part);
          const auto cut = [first = first, count = count](const auto& m, int64_t cols) {
            return std::vector(m.begin() + first * cols, m.begin() + (first + count) * cols);
          };
          some.q = cut(all.q, 40);
          some.dout = cut(all.dout, 40);
          some.bias = cut(all.bias, 300);
          const Answer got(some);
          EXPECT_EQ(got.out, cut(want.out, 40)) << first;
          EXPECT_EQ(got.log_sum_exp, cut(want.log_sum_exp, 1)) << first;
          EXPECT_EQ(got.dq, cut(want.dq, 40)) << first;
          EXPECT_EQ(got.dbias, cut(want.dbias, 300)) << first;
        }
      });
    }
}

/// What masked keys have in the bias is not read into any result, and their gradient is left alone.
TEST(AttentionBiasTest, MaskedKeysMayHoldAnything) {
  for (const DType type : {DType::f32, DType::bf16}) {
    Reference reference({.tokens = 65, .head_size = 64, .valid = 50, .type = type, .bias = true});
    const Answer before(reference);
    for (int64_t i = 0; i < 65; ++i)
      for (int64_t j = 50; j < 65; ++j) {
        reference.bias[at(i, j, 65)] = std::nan("");
        EXPECT_EQ(before.dbias[at(i, j, 65)], Answer::kBefore);
      }
    const Answer after(reference);
    EXPECT_EQ(after.out, before.out);
    EXPECT_EQ(after.dq, before.dq);
    EXPECT_EQ(after.dk, before.dk);
    EXPECT_EQ(after.dv, before.dv);
    EXPECT_EQ(after.dbias, before.dbias);
  }
}

TEST(AttentionBiasTest, IsInTheMap) {
  const auto check = [](const Case& shape, const auto& q, const auto& k) {
    const Reference want(shape);
    GuardedMatrix map(shape.queries(), shape.tokens, 5);
    const GuardedMatrix bias = score_sheet(shape, want.bias);
    AttentionOptions options = options_of(shape);
    options.bias = bias.view();
    attention_map(q.view(), k.view(), options, map.view());
    expect_close(map.values(), want.p, kFp32);
    EXPECT_TRUE(map.intact());
  };
  for (Case shape : {Case{.tokens = 65, .head_size = 64, .valid = 50, .bias = true},
                     Case{.tokens = 26, .head_size = 24, .query_count = 3, .bias = true}}) {
    check(shape, sheet<float>(shape, Reference(shape).q), sheet<float>(shape, Reference(shape).k));
    shape.type = DType::bf16;
    check(shape, sheet<BFloat16>(shape, Reference(shape).q), sheet<BFloat16>(shape, Reference(shape).k));
  }
}

TEST(AttentionBiasErrorTest, WhatDoesNotFitIsNamed) {
  GuardedMatrix m(4, 8), scores(4, 4), narrow(4, 3), lse(1, 4);
  const auto text = [&](TensorView<const float> bias, TensorView<float> dbias, float scale) -> std::string {
    AttentionOptions options;
    options.bias = bias;
    options.scale = scale;
    try {
      attention_backward(m.view(), m.view(), m.view(), m.view(), m.view(), lse.data(), options,
                         {m.view(), m.view(), m.view(), dbias}, nullptr);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(text(narrow.view(), {}, 1), "[attention: bias] needs [4, 4], has [4, 3]");
  EXPECT_EQ(text(scores.view(), narrow.view(), 1), "[attention: dbias] needs [4, 4], has [4, 3]");
  EXPECT_EQ(text({}, scores.view(), 0), "[attention: scale] needs another number than 0 for the gradient of the bias");
}

}  // namespace
}  // namespace vit::test
