#include "vit/kernels/weight_gradient.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/guarded_matrix.h"
#include "tests/support/tolerance.h"
#include "vit/kernels/isa.h"

namespace vit {
namespace {

using test::as_float;
using test::expect_close;
using test::Guarded;
using test::GuardedMatrix;
using test::kFp32;

struct Shape {
  int64_t rows, outputs, inputs;
};
// Single rows and columns, parts of tiles and panels, odd rows, several blocks of rows and of outputs, and inputs that
// are no whole vectors.
const Shape kShapes[] = {{1, 1, 16},   {1, 8, 48},    {2, 10, 16},   {7, 30, 32},   {65, 24, 64},  {33, 33, 80},
                         {64, 96, 96}, {130, 10, 17}, {193, 40, 48}, {400, 16, 16}, {40, 800, 32}, {200, 1, 112}};

class WeightGradient : public testing::TestWithParam<Shape> {
 protected:
  const int64_t rows = GetParam().rows, outputs = GetParam().outputs, inputs = GetParam().inputs;

  /// dw and dbias after, in double, from the elements as they are in memory.
  template <class T>
  void expect_sums(int64_t gap, bool with_bias) const {
    const float scale = 1 / std::sqrt(static_cast<float>(rows));
    auto dy = Guarded<T>::random(rows, outputs, gap, 1, scale);
    auto x = Guarded<T>::random(rows, inputs, gap, 2);
    auto dw = GuardedMatrix::random(outputs, inputs, gap, 3);
    auto dbias = GuardedMatrix::random(1, outputs, 0, 4);
    std::vector<double> want_dw, want_dbias;
    for (int64_t o = 0; o < outputs; ++o) {
      for (int64_t i = 0; i < inputs; ++i) {
        double sum = static_cast<double>(dw(o, i));
        for (int64_t r = 0; r < rows; ++r)
          sum += static_cast<double>(as_float(dy(r, o))) * static_cast<double>(as_float(x(r, i)));
        want_dw.push_back(sum);
      }
      double sum = static_cast<double>(dbias(0, o));
      for (int64_t r = 0; r < rows && with_bias; ++r) sum += static_cast<double>(as_float(dy(r, o)));
      want_dbias.push_back(sum);
    }
    add_weight_gradient(dy.view(), x.view(), dw.view(), with_bias ? dbias.data() : nullptr);
    SCOPED_TRACE(testing::Message() << "gap " << gap << (with_bias ? ", bias" : ""));
    expect_close(dw.values(), want_dw, kFp32);
    expect_close(dbias.values(), want_dbias, kFp32);
    EXPECT_TRUE(dw.intact());
    EXPECT_TRUE(dbias.intact());
  }

  template <class T>
  void expect_all() const {
    for (const int64_t gap : {0, 3})
      for (const bool with_bias : {false, true}) expect_sums<T>(gap, with_bias);
  }
};

TEST_P(WeightGradient, Fp32) { expect_all<float>(); }

TEST_P(WeightGradient, Bf16) {
  if (product_isa() < Isa::avx512) GTEST_SKIP() << "bf16 products need AVX-512";
  expect_all<BFloat16>();
}

INSTANTIATE_TEST_SUITE_P(Shapes, WeightGradient, testing::ValuesIn(kShapes), [](const auto& shape) {
  return testing::PrintToString(shape.param.rows) + "x" + testing::PrintToString(shape.param.outputs) + "x" +
         testing::PrintToString(shape.param.inputs);
});

TEST(WeightGradient, ShapesThatDoNotFitAreRefused) {
  for (const Shape& wrong : {Shape{4, 8, 16}, Shape{3, 9, 16}, Shape{3, 8, 32}}) {
    Guarded<BFloat16> dy(3, 8), x(wrong.rows, 16);
    GuardedMatrix dw(wrong.outputs, wrong.inputs);
    EXPECT_THROW(add_weight_gradient(dy.view(), x.view(), dw.view(), nullptr), Error) << wrong.rows;
  }
}

}  // namespace
}  // namespace vit
