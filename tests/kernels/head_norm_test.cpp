#include "vit/kernels/head_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/support/each_target.h"
#include "tests/support/guarded_matrix.h"
#include "tests/support/tolerance.h"

namespace vit {
namespace {

using test::as_float;
using test::expect_close;
using test::Guarded;
using test::GuardedMatrix;
using Kind = HeadNorm::Kind;

struct Case {
  int64_t rows, heads, size;
};

template <class T>
constexpr test::Tolerance kTolerance = test::kFp32;
template <>
constexpr test::Tolerance kTolerance<BFloat16> = test::kBf16Elementwise;

/// Each head normed by the definition, in double, and the gradients.
template <class T>
struct Reference {
  Case c;
  Kind kind;
  Guarded<T> x, dy;
  GuardedMatrix gamma, beta;
  std::vector<double> y, mean, rstd, dx, dgamma, dbeta;

  Reference(const Case& shape, Kind k)
      : c(shape),
        kind(k),
        x(Guarded<T>::random(c.rows, c.heads * c.size, 5, 1, 2)),
        dy(Guarded<T>::random(c.rows, c.heads * c.size, 5, 2)),
        gamma(GuardedMatrix::random(1, c.size, 0, 3)),
        beta(GuardedMatrix::random(1, c.size, 0, 4)),
        dgamma(static_cast<std::size_t>(c.size), 1.0),
        dbeta(dgamma) {
    for (int64_t r = 0; r < c.rows; ++r)
      for (int64_t h = 0; h < c.heads; ++h) add_head(r, h * c.size);
  }

  HeadNorm norm() const { return {kind, c.size, gamma.data(), kind == Kind::layer ? beta.data() : nullptr, 1e-5f}; }

 private:
  void add_head(int64_t r, int64_t at) {
    const auto n = static_cast<double>(c.size);
    const auto in = [&](int64_t i) { return static_cast<double>(as_float(x(r, at + i))); };
    const auto gradient = [&](int64_t i) { return static_cast<double>(as_float(dy(r, at + i))); };
    double m = 0, variance = 0;
    for (int64_t i = 0; i < c.size && kind == Kind::layer; ++i) m += in(i) / n;
    for (int64_t i = 0; i < c.size; ++i) variance += (in(i)-m) * (in(i)-m) / n;
    const double s = 1 / std::sqrt(variance + double{1e-5f});
    mean.push_back(m);
    rstd.push_back(s);
    double mean_g = 0, mean_gh = 0;
    for (int64_t i = 0; i < c.size; ++i) {
      const double h = (in(i)-m) * s, g = gradient(i) * double{gamma(0, i)};
      y.push_back(h * double{gamma(0, i)} + (kind == Kind::layer ? double{beta(0, i)} : 0));
      mean_g += kind == Kind::layer ? g / n : 0;
      mean_gh += g * h / n;
      dgamma[static_cast<std::size_t>(i)] += gradient(i) * h;
      dbeta[static_cast<std::size_t>(i)] += gradient(i);
    }
    for (int64_t i = 0; i < c.size; ++i) {
      const double h = (in(i)-m) * s, g = gradient(i) * double{gamma(0, i)};
      dx.push_back(s * (g - mean_g - h * mean_gh));
    }
  }
};

template <class T>
void check(const Case& c, Kind kind) {
  const Reference<T> want(c, kind);
  const bool layer = kind == Kind::layer;
  auto y = want.x, dx = want.dy;
  GuardedMatrix mean(1, c.rows * c.heads), rstd(1, c.rows * c.heads), dgamma(1, c.size), dbeta(1, c.size);
  dgamma.fill(1);
  dbeta.fill(1);
  const HeadMoments moments{layer ? mean.data() : nullptr, rstd.data()};
  head_norm_forward(y.view(), want.norm(), y.view(), moments);  // in place
  expect_close(y.values(), want.y, kTolerance<T>);
  if (layer) expect_close(mean.values(), want.mean, test::kFp32);
  expect_close(rstd.values(), want.rstd, test::kFp32);

  head_norm_backward(dx.view(), want.x.view(), want.norm(), moments, dx.view(), dgamma.data(),
                     layer ? dbeta.data() : nullptr);
  expect_close(dx.values(), want.dx, kTolerance<T>);
  expect_close(dgamma.values(), want.dgamma, test::kFp32Gradient);
  if (layer) expect_close(dbeta.values(), want.dbeta, test::kFp32Gradient);
  EXPECT_TRUE(y.intact() && dx.intact() && mean.intact() && rstd.intact() && dgamma.intact() && dbeta.intact());
}

class HeadNormTest : public testing::TestWithParam<Case> {};

TEST_P(HeadNormTest, MatchesTheDefinition) {
  test::for_each_target([] {
    for (Kind kind : {Kind::layer, Kind::rms}) {
      check<float>(GetParam(), kind);
      check<BFloat16>(GetParam(), kind);
    }
  });
}

TEST_P(HeadNormTest, AHeadDoesNotDependOnTheOthers) {
  const Reference<float> all(GetParam(), Kind::layer);
  auto together = all.x, single = all.x;
  head_norm_forward(together.view(), all.norm(), together.view(), {});
  for (int64_t r = 0; r < all.c.rows; ++r)
    for (int64_t h = 0; h < all.c.heads; ++h) {
      const auto head = single.view().slice(r, 1).columns(h * all.c.size, all.c.size);
      head_norm_forward(head, all.norm(), head, {});
    }
  EXPECT_EQ(single.values(), together.values());
}

INSTANTIATE_TEST_SUITE_P(Sizes, HeadNormTest,
                         testing::Values(Case{1, 1, 2}, Case{3, 2, 5}, Case{2, 3, 16}, Case{5, 4, 24}, Case{2, 6, 32},
                                         Case{7, 9, 33}, Case{4, 12, 64}, Case{3, 5, 128}));

TEST(HeadNormErrors, WhatDoesNotFitIsAnError) {
  GuardedMatrix x(2, 12), gamma(1, 6), other(3, 12);
  Guarded<BFloat16> narrow(2, 12);
  const HeadNorm rms{Kind::rms, 6, gamma.data()}, layer{Kind::layer, 6, gamma.data(), gamma.data()};
  EXPECT_NO_THROW(head_norm_forward(x.view(), rms, x.view(), {}));
  EXPECT_THROW(head_norm_forward(x.view(), rms, other.view(), {}), Error);
  EXPECT_THROW(head_norm_forward(x.view(), rms, narrow.view(), {}), Error);
  EXPECT_THROW(head_norm_forward(x.view(), {Kind::rms, 5, gamma.data()}, x.view(), {}), Error);
  EXPECT_THROW(head_norm_forward(x.view(), {Kind::layer, 6, gamma.data()}, x.view(), {}), Error);
  EXPECT_THROW(head_norm_forward(x.view(), {Kind::rms, 6, gamma.data(), gamma.data()}, x.view(), {}), Error);
  EXPECT_THROW(head_norm_backward(x.view(), x.view(), rms, {}, x.view(), gamma.data(), nullptr), Error);
  EXPECT_THROW(head_norm_backward(x.view(), x.view(), layer, {nullptr, x.data()}, x.view(), gamma.data(), gamma.data()),
               Error);
}

}  // namespace
}  // namespace vit
