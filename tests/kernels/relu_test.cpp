#include "vit/kernels/relu.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tests/support/each_target.h"
#include "tests/support/guarded_matrix.h"

namespace vit {
namespace {

using test::as_float;
using test::Guarded;

template <class T>
void check() {
  for (int64_t cols : {1, 7, 16, 33, 64, 100}) {
    const auto x = Guarded<T>::random(3, cols, 2, 1), dy = Guarded<T>::random(3, cols, 1, 2);
    std::vector<float> want, want_dx;
    for (int64_t r = 0; r < 3; ++r)
      for (int64_t c = 0; c < cols; ++c) {
        const bool above = as_float(x(r, c)) > 0;
        want.push_back(above ? as_float(x(r, c)) : 0);
        want_dx.push_back(above ? as_float(dy(r, c)) : 0);
      }
    auto y = x, dx = dy;
    relu_forward(y.view(), y.view());  // in place
    relu_backward(dx.view(), y.view(), dx.view());
    EXPECT_EQ(y.values(), want);
    EXPECT_EQ(dx.values(), want_dx);
    EXPECT_TRUE(y.intact() && dx.intact());
  }
}

TEST(Relu, ForwardAndBackward) {
  test::for_each_target([] {
    check<float>();
    check<BFloat16>();
  });
}

TEST(Relu, SpecialNumbers) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> x = {inf, -inf, nan, 0};
  test::for_each_target([&] {
    std::vector<float> y(4), dx(4, 9);
    std::vector<BFloat16> narrow(4);
    relu_forward(TensorView<const float>(x.data(), {1, 4}), TensorView<float>(y.data(), {1, 4}));
    relu_forward(TensorView<const float>(x.data(), {1, 4}), TensorView<BFloat16>(narrow.data(), {1, 4}));
    EXPECT_TRUE(y[0] == inf && y[1] == 0 && std::isnan(y[2]) && y[3] == 0);
    EXPECT_TRUE(as_float(narrow[0]) == inf && as_float(narrow[1]) == 0 && std::isnan(as_float(narrow[2])));
    relu_backward(TensorView<const float>(x.data(), {1, 4}), TensorView<float>(y.data(), {1, 4}),
                  TensorView<float>(dx.data(), {1, 4}));
    EXPECT_TRUE(dx[0] == inf && dx[1] == 0 && dx[2] == 0 && dx[3] == 0);
  });
}

TEST(Relu, WrongShapesAreErrors) {
  Guarded<float> x(2, 4), other(2, 3);
  Guarded<int8_t> bytes(2, 4);
  EXPECT_THROW(relu_forward(x.view(), other.view()), Error);
  EXPECT_THROW(relu_forward(x.view(), bytes.view()), Error);
  EXPECT_THROW(relu_backward(x.view(), other.view(), x.view()), Error);
}

}  // namespace
}  // namespace vit
