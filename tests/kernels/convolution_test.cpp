#include "vit/kernels/convolution.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

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
                       {{.height = 4, .width = 5, .side = 3, .stride = 1, .padding = 1}, 2, 3},
                       {{.height = 7, .width = 6, .side = 3, .stride = 2, .padding = 1}, 3, 17},
                       {{.height = 9, .width = 9, .side = 7, .stride = 2, .padding = 3}, 1, 3},
                       {{.height = 6, .width = 8, .side = 2, .stride = 2}, 2, 300},
                       {{.height = 5, .width = 5, .side = 2, .stride = 3}, 1, 4},  // pixels in no window
                       {{.height = 3, .width = 2, .side = 5, .stride = 1, .padding = 4}, 1, 2}};

/// Where (picture, channel, y, x) of the input lies; -1 outside.
int64_t row_of(const Windows& w, int64_t picture, int64_t y, int64_t x) {
  return y < 0 || y >= w.height || x < 0 || x >= w.width ? -1 : (picture * w.height + y) * w.width + x;
}

/// body(output row, column, input row or -1, channel) for each element of the columns, in order.
template <class Body>
void for_each_element(const Case& c, Body body) {
  const Windows& w = c.windows;
  int64_t row = 0;
  for (int64_t b = 0; b < c.pictures; ++b)
    for (int64_t y = 0; y < w.out_height(); ++y)
      for (int64_t x = 0; x < w.out_width(); ++x, ++row)
        for (int64_t channel = 0, column = 0; channel < c.channels; ++channel)
          for (int64_t ky = 0; ky < w.side; ++ky)
            for (int64_t kx = 0; kx < w.side; ++kx, ++column)
              body(row, column, row_of(w, b, y * w.stride - w.padding + ky, x * w.stride - w.padding + kx), channel);
}

template <class T>
Guarded<T> picture_rows(const Case& c) {
  return Guarded<T>::random(c.pictures * c.windows.pixels(), c.channels, 3, 1);
}
template <class T>
Guarded<T> window_rows(const Case& c) {
  return Guarded<T>::random(c.pictures * c.windows.out_pixels(), c.channels * c.windows.taps(), 5, 2);
}

template <class X, class Y>
void check_im2col() {
  for (const Case& c : kCases) {
    const auto x = picture_rows<X>(c);
    auto columns = window_rows<Y>(c);
    im2col(x.view(), c.windows, columns.view());
    std::vector<float> want;
    for_each_element(c, [&](int64_t, int64_t, int64_t row, int64_t channel) {
      const float v = row < 0 ? 0 : as_float(x(row, channel));
      want.push_back(std::is_same_v<Y, BFloat16> ? to_float(to_bf16(v)) : v);
    });
    EXPECT_EQ(columns.values(), want);
    EXPECT_TRUE(columns.intact());
  }
}

TEST(Im2col, IsTheDefinition) {
  check_im2col<float, float>();
  check_im2col<float, BFloat16>();
  check_im2col<BFloat16, float>();
  check_im2col<BFloat16, BFloat16>();
}

// torch.nn.functional.unfold(x, 2, stride=2, padding=1) of x = arange(1, 19).reshape(1, 2, 3, 3), transposed.
TEST(Im2col, OrderOfTorch) {
  std::vector<float> x;
  for (int pixel = 1; pixel <= 9; ++pixel)
    x.insert(x.end(), {static_cast<float>(pixel), static_cast<float>(pixel + 9)});
  std::vector<float> columns(4 * 8);
  im2col(TensorView<float>(x.data(), {9, 2}), {.height = 3, .width = 3, .side = 2, .stride = 2, .padding = 1},
         TensorView<float>(columns.data(), {4, 8}));
  EXPECT_EQ(columns, (std::vector<float>{0, 0, 0, 1, 0, 0,  0, 10, 0, 0, 2, 3, 0,  0,  11, 12,
                                         0, 4, 0, 7, 0, 13, 0, 16, 5, 6, 8, 9, 14, 15, 17, 18}));
}

template <class X, class Y>
void check_col2im() {
  for (const Case& c : kCases) {
    const auto dcolumns = window_rows<X>(c);
    auto dx = picture_rows<Y>(c);
    col2im(dcolumns.view(), c.windows, dx.view());
    std::vector<double> want(static_cast<std::size_t>(dx.rows() * dx.cols()));
    for_each_element(c, [&](int64_t row, int64_t column, int64_t to, int64_t channel) {
      if (to >= 0) want[static_cast<std::size_t>(to * c.channels + channel)] += double{as_float(dcolumns(row, column))};
    });
    expect_close(dx.values(), want, std::is_same_v<Y, BFloat16> ? test::kBf16Elementwise : test::kFp32);
    EXPECT_TRUE(dx.intact());
  }
}

TEST(Col2im, IsTheTranspose) {
  check_col2im<float, float>();
  check_col2im<float, BFloat16>();
  check_col2im<BFloat16, float>();
  check_col2im<BFloat16, BFloat16>();
}

TEST(ConvolutionErrors, WhatDoesNotFitIsNamed) {
  Guarded<float> x(16, 2), columns(16, 18);
  Guarded<int8_t> bytes(16, 18);
  const auto text = [&](const Windows& windows, Matrix to) -> std::string {
    try {
      im2col(x.view(), windows, to);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(text({4, 4, 3, 1, 1}, columns.view()), "no error");
  EXPECT_EQ(text({4, 4, 3, 1, 0}, columns.view()), "[im2col] needs [4, 18], has [16, 18]");
  EXPECT_EQ(text({3, 4, 3, 1, 1}, columns.view()), "[im2col] needs whole pictures of 12 rows, has 16");
  EXPECT_EQ(text({4, 4, 3, 0, 1}, columns.view()), "[im2col: stride] needs at least 1, has 0");
  EXPECT_EQ(text({4, 4, 3, 1, 3}, columns.view()), "[im2col: padding] needs 0 to 2, has 3");
  EXPECT_EQ(text({4, 4, 12, 1, 3}, columns.view()), "[im2col: side] needs 1 to 11, has 12");
  EXPECT_EQ(text({4, 4, 7, 1, 1}, columns.view()), "[im2col] needs pictures of at least 5 by 5, has 4 by 4");
  EXPECT_THROW(im2col(x.view(), {4, 4, 3, 1, 1}, bytes.view()), Error);
  EXPECT_THROW(col2im(bytes.view(), {4, 4, 3, 1, 1}, x.view()), Error);
}

}  // namespace
}  // namespace vit
