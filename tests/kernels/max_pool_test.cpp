#include "vit/kernels/max_pool.h"

#include <gtest/gtest.h>

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

struct Case {
  Windows windows;
  int64_t pictures, channels;
};

const Case kCases[] = {{{.height = 1, .width = 1}, 1, 1},
                       {{.height = 8, .width = 6, .side = 3, .stride = 2, .padding = 1}, 2, 17},
                       {{.height = 7, .width = 7, .side = 2, .stride = 2}, 3, 33},  // a last row in no window
                       {{.height = 4, .width = 5, .side = 3, .stride = 1, .padding = 1}, 1, 64},
                       {{.height = 12, .width = 12, .side = 11, .stride = 1, .padding = 5}, 1, 3}};

/// The maxima, their places and, for a gradient dy, dx: by the definition.
struct Reference {
  std::vector<float> y, places;
  std::vector<double> dx;

  template <class T, class G>
  Reference(const Case& c, const Guarded<T>& x, const Guarded<G>& dy)
      : dx(static_cast<std::size_t>(x.rows() * x.cols())) {
    const Windows& w = c.windows;
    for (int64_t row = 0; row < dy.rows(); ++row)
      for (int64_t channel = 0; channel < c.channels; ++channel) {
        const int64_t picture = row / w.out_pixels(), pixel = row % w.out_pixels();
        float best = -HUGE_VALF;
        int64_t place = -1, from = -1;
        for (int64_t ky = 0; ky < w.side; ++ky)
          for (int64_t kx = 0; kx < w.side; ++kx) {
            const int64_t in_y = pixel / w.out_width() * w.stride - w.padding + ky;
            const int64_t in_x = pixel % w.out_width() * w.stride - w.padding + kx;
            if (in_y < 0 || in_y >= w.height || in_x < 0 || in_x >= w.width) continue;
            const int64_t in_row = (picture * w.height + in_y) * w.width + in_x;
            const float v = as_float(x(in_row, channel));
            if (place >= 0 && v <= best) continue;
            best = v;
            place = ky * w.side + kx;
            from = in_row;
          }
        y.push_back(best);
        places.push_back(static_cast<float>(place));
        dx[static_cast<std::size_t>(from * c.channels + channel)] += double{as_float(dy(row, channel))};
      }
  }
};

template <class T, class G>
void check() {
  for (const Case& c : kCases) {
    const int64_t pixels = c.pictures * c.windows.pixels(), out_pixels = c.pictures * c.windows.out_pixels();
    auto x = Guarded<T>::random(pixels, c.channels, 3, 1);
    for (int64_t r = 0; r + 1 < pixels; r += 3) x(r + 1, 0) = x(r, 0);  // equal ones side by side
    const auto dy = Guarded<G>::random(out_pixels, c.channels, 2, 2);
    Guarded<T> y(out_pixels, c.channels, 5), same(out_pixels, c.channels);
    Guarded<int8_t> winners(out_pixels, c.channels, 1);
    Guarded<G> dx(pixels, c.channels, 7);
    max_pool_forward(x.view(), c.windows, y.view(), winners.view());
    max_pool_forward(x.view(), c.windows, same.view(), {});
    max_pool_backward(dy.view(), c.windows, winners.view(), dx.view());
    const Reference want(c, x, dy);
    EXPECT_EQ(y.values(), want.y);
    EXPECT_EQ(same.values(), want.y);
    EXPECT_EQ(winners.values(), want.places);
    expect_close(dx.values(), want.dx, std::is_same_v<G, BFloat16> ? test::kBf16Elementwise : test::kFp32);
    EXPECT_TRUE(y.intact() && winners.intact() && dx.intact());
  }
}

TEST(MaxPool, IsTheDefinition) {
  test::for_each_target([] {
    check<float, float>();
    check<BFloat16, BFloat16>();
    check<BFloat16, float>();
  });
}

// torch.nn.functional.max_pool2d(x, 2, 2, 1) of x = arange(1, 19).reshape(1, 2, 3, 3), its second channel negative.
TEST(MaxPool, PaddingDoesNotCount) {
  std::vector<float> x;
  for (int pixel = 1; pixel <= 9; ++pixel)
    x.insert(x.end(), {static_cast<float>(pixel), static_cast<float>(-pixel - 9)});
  std::vector<float> y(4 * 2);
  max_pool_forward(TensorView<float>(x.data(), {9, 2}), {.height = 3, .width = 3, .side = 2, .stride = 2, .padding = 1},
                   TensorView<float>(y.data(), {4, 2}), {});
  EXPECT_EQ(y, (std::vector<float>{1, -10, 3, -11, 7, -13, 9, -14}));
}

TEST(MaxPool, NotANumberWinsAndInfinityLoses) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), low = -std::numeric_limits<float>::infinity();
  std::vector<float> x = {1, nan, 2, 3, low, low, low, low}, y(2);
  std::vector<int8_t> winners(2);
  max_pool_forward(TensorView<float>(x.data(), {8, 1}), {.height = 2, .width = 2, .side = 2},
                   TensorView<float>(y.data(), {2, 1}), TensorView<int8_t>(winners.data(), {2, 1}));
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_EQ(y[1], low);
  EXPECT_EQ(winners, (std::vector<int8_t>{1, 0}));
}

TEST(MaxPoolErrors, WhatDoesNotFitIsAnError) {
  Guarded<float> x(16, 2), y(4, 2);
  Guarded<BFloat16> narrow(4, 2);
  Guarded<int8_t> winners(4, 2), fewer(3, 2);
  const Windows windows{.height = 4, .width = 4, .side = 2, .stride = 2};
  EXPECT_NO_THROW(max_pool_forward(x.view(), windows, y.view(), winners.view()));
  EXPECT_THROW(max_pool_forward(x.view(), windows, narrow.view(), winners.view()), Error);
  EXPECT_THROW(max_pool_forward(x.view(), windows, y.view(), fewer.view()), Error);
  EXPECT_THROW(max_pool_forward(x.view(), windows, y.view(), y.view()), Error);
  EXPECT_THROW(max_pool_forward(x.view(), {.height = 4, .width = 4, .side = 2}, y.view(), {}), Error);
  EXPECT_THROW(max_pool_backward(y.view(), windows, {}, x.view()), Error);
}

}  // namespace
}  // namespace vit
