#include "vit/kernels/gated.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "tests/support/each_target.h"
#include "tests/support/guarded_matrix.h"
#include "tests/support/tolerance.h"

namespace vit {
namespace {

using test::as_float;
using test::expect_close;
using test::Guarded;

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

template <class T>
constexpr test::Tolerance kTolerance = test::kFp32Elementwise;
template <>
constexpr test::Tolerance kTolerance<BFloat16> = test::kBf16Elementwise;
template <>
constexpr test::Tolerance kTolerance<int8_t> = test::kInt8Elementwise;

const int64_t kWidths[] = {1, 2, 7, 15, 16, 17, 33, 64, 100};

/// The gates of a row and its values.
template <class T>
struct Hidden {
  Guarded<T> m;

  explicit Hidden(int64_t width) : m(Guarded<T>::random(5, 2 * width, 3, 1, 3)) {}
  double gate(int64_t r, int64_t c) const { return static_cast<double>(as_float(m(r, c))); }
  double value(int64_t r, int64_t c) const { return static_cast<double>(as_float(m(r, m.cols() / 2 + c))); }
};

template <class X, class Y>
void check_forward() {
  constexpr bool kBytes = std::is_same_v<Y, int8_t>;
  for (int64_t width : kWidths) {
    const Hidden<X> hidden(width);
    Guarded<Y> y(5, width, 2);
    swiglu_forward(hidden.m.view(), y.view(), kBytes ? 30.0f : 1.0f);
    std::vector<double> want;
    for (int64_t r = 0; r < 5; ++r)
      for (int64_t c = 0; c < width; ++c) {
        const double g = hidden.gate(r, c), v = g * logistic(g) * hidden.value(r, c);
        want.push_back(kBytes ? std::clamp(30 * v, -127.0, 127.0) : v);
      }
    expect_close(y.values(), want, kTolerance<Y>);
    EXPECT_TRUE(y.intact());
    if constexpr (std::is_same_v<X, Y>) {  // y may be the gates
      Hidden<X> in_place(width);
      swiglu_forward(in_place.m.view(), in_place.m.view().columns(0, width));
      for (int64_t r = 0; r < 5; ++r)
        for (int64_t c = 0; c < width; ++c) {
          EXPECT_EQ(as_float(in_place.m(r, c)), as_float(y(r, c)));
          EXPECT_EQ(in_place.value(r, c), hidden.value(r, c));
        }
      EXPECT_TRUE(in_place.m.intact());
    }
  }
}

TEST(Swiglu, Forward) {
  test::for_each_target([] {
    check_forward<float, float>();
    check_forward<float, BFloat16>();
    check_forward<float, int8_t>();
    check_forward<BFloat16, float>();
    check_forward<BFloat16, BFloat16>();
    check_forward<BFloat16, int8_t>();
  });
}

template <class G, class X, class Y>
void check_backward() {
  for (int64_t width : kWidths) {
    const Hidden<X> hidden(width);
    const auto dy = Guarded<G>::random(5, width, 1, 2);
    std::vector<double> want;
    for (int64_t r = 0; r < 5; ++r) {
      for (int64_t c = 0; c < width; ++c) {
        const double g = hidden.gate(r, c), s = logistic(g);
        want.push_back(static_cast<double>(as_float(dy(r, c))) * hidden.value(r, c) * (s + g * s * (1 - s)));
      }
      for (int64_t c = 0; c < width; ++c)
        want.push_back(static_cast<double>(as_float(dy(r, c))) * hidden.gate(r, c) * logistic(hidden.gate(r, c)));
    }
    Guarded<Y> dhidden(5, 2 * width, 4);
    swiglu_backward(dy.view(), hidden.m.view(), dhidden.view());
    expect_close(dhidden.values(), want, kTolerance<Y>);
    EXPECT_TRUE(dhidden.intact());
    if constexpr (std::is_same_v<X, Y>) {
      auto in_place = hidden.m;
      swiglu_backward(dy.view(), in_place.view(), in_place.view());
      EXPECT_EQ(in_place.values(), dhidden.values());
      EXPECT_TRUE(in_place.intact());
    }
  }
}

TEST(Swiglu, Backward) {
  test::for_each_target([] {
    check_backward<float, float, float>();
    check_backward<float, BFloat16, BFloat16>();
    check_backward<BFloat16, BFloat16, BFloat16>();
    check_backward<BFloat16, float, float>();
    check_backward<BFloat16, BFloat16, float>();
  });
}

TEST(Swiglu, BackwardMatchesDifferences) {
  const float dy = 1;
  for (double g : {-4.0, -1.25, 0.0, 0.5, 3.0}) {
    const float hidden[] = {static_cast<float>(g), 1.5f};
    float dhidden[2];
    swiglu_backward(TensorView<const float>(&dy, {1, 1}), TensorView<const float>(hidden, {1, 2}),
                    TensorView<float>(dhidden, {1, 2}));
    const double step = 1e-5, above = (g + step) * logistic(g + step), below = (g - step) * logistic(g - step);
    EXPECT_NEAR(double{dhidden[0]}, 1.5 * (above - below) / (2 * step), 1e-6);
    EXPECT_NEAR(double{dhidden[1]}, g * logistic(g), 1e-6);
  }
}

TEST(Swiglu, LargeGates) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  test::for_each_target([&] {
    const std::vector<float> hidden = {100, -100, 3e38f, -3e38f, inf, nan, 2, 2, 1, 1, 1, 1};
    std::vector<float> y(6);
    std::vector<int8_t> bytes(6);
    const TensorView<const float> in(hidden.data(), {1, 12});
    swiglu_forward(in, TensorView<float>(y.data(), {1, 6}));
    swiglu_forward(in, TensorView<int8_t>(bytes.data(), {1, 6}));
    EXPECT_EQ(std::vector<float>(y.begin(), y.begin() + 5), (std::vector<float>{200, 0, 3e38f, 0, inf}));
    EXPECT_TRUE(std::isnan(y[5]));
    EXPECT_EQ(bytes, (std::vector<int8_t>{127, 0, 127, 0, 127, 0}));
  });
}

TEST(Swiglu, WrongShapesAreErrors) {
  Guarded<float> hidden(3, 8), y(3, 4), odd(3, 5);
  Guarded<int8_t> bytes(3, 8);
  EXPECT_THROW(swiglu_forward(hidden.view(), odd.view()), Error);
  EXPECT_THROW(swiglu_forward(bytes.view(), y.view()), Error);
  EXPECT_THROW(swiglu_backward(odd.view(), hidden.view(), hidden.view()), Error);
  EXPECT_THROW(swiglu_backward(y.view(), hidden.view(), bytes.view()), Error);
}

}  // namespace
}  // namespace vit
