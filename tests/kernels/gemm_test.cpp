#include "vit/kernels/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <iterator>
#include <limits>
#include <numbers>
#include <thread>

#include "tests/support/guarded_matrix.h"
#include "tests/support/tolerance.h"
#include "vit/kernels/isa.h"

namespace vit {
namespace {

using test::expect_close;
using test::GuardedMatrix;
using test::kExact;
using test::kFp32;

double activate(double x, Activation activation) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::gelu_erf:
      return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
    case Activation::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
  }
  return x;
}

double element(const GuardedMatrix& m, bool transposed, int64_t r, int64_t c) { return transposed ? m(c, r) : m(r, c); }

// What gemm should write, in double.
std::vector<double> reference(const GuardedMatrix& a, const GuardedMatrix& b, const GuardedMatrix& old,
                              const GemmOptions& options) {
  const int64_t k = options.transpose_a ? a.rows() : a.cols();
  std::vector<double> c;
  for (int64_t i = 0; i < old.rows(); ++i)
    for (int64_t j = 0; j < old.cols(); ++j) {
      double sum = options.epilogue.bias != nullptr ? options.epilogue.bias[j] : 0;
      for (int64_t l = 0; l < k; ++l)
        sum += element(a, options.transpose_a, i, l) * element(b, options.transpose_b, l, j);
      c.push_back(activate(sum, options.epilogue.activation) + (options.epilogue.accumulate ? double{old(i, j)} : 0.0));
    }
  return c;
}

struct Shape {
  int64_t m, n, k;
};
const Shape kShapes[] = {{1, 1, 1},    {1, 10, 192}, {2, 3, 5},      {7, 30, 17},   {16, 16, 16},
                         {65, 48, 33}, {64, 10, 48}, {130, 192, 65}, {33, 100, 257}};

class GemmShapes : public testing::TestWithParam<Shape> {};

TEST_P(GemmShapes, AllTransposesStridesAndEpilogues) {
  const auto [m, n, k] = GetParam();
  const float scale = 1 / std::sqrt(static_cast<float>(k));
  const GuardedMatrix bias = GuardedMatrix::random(1, n, 0, 3);
  for (int form = 0; form < 2 * 2 * 2 * 3 * 2; ++form) {
    GemmOptions options;
    options.transpose_a = form & 1;
    options.transpose_b = form & 2;
    options.epilogue.accumulate = form & 4;
    options.epilogue.activation = static_cast<Activation>(form / 8 % 3);
    options.epilogue.bias = form / 24 != 0 ? bias.data() : nullptr;
    const int64_t gap = form % 5 == 0 ? 0 : 3;
    const auto a = options.transpose_a ? GuardedMatrix::random(k, m, gap, 1) : GuardedMatrix::random(m, k, gap, 1);
    const auto b =
        options.transpose_b ? GuardedMatrix::random(n, k, gap, 2, scale) : GuardedMatrix::random(k, n, gap, 2, scale);
    // NaN in c unless it is added to: overwriting must not read it.
    GuardedMatrix c = options.epilogue.accumulate ? GuardedMatrix::random(m, n, gap, 4) : GuardedMatrix(m, n, gap);
    const auto want = reference(a, b, c, options);
    gemm(a.view(), b.view(), c.view(), options);
    SCOPED_TRACE(testing::Message() << "form " << form);
    expect_close(c.values(), want, kFp32);
    EXPECT_TRUE(c.intact());
  }
}

TEST_P(GemmShapes, PackedWeight) {
  const auto [m, n, k] = GetParam();
  const float scale = 1 / std::sqrt(static_cast<float>(k));
  const GuardedMatrix bias = GuardedMatrix::random(1, n, 0, 3);
  for (int form = 0; form < 2 * 2 * 3 * 2; ++form) {
    const bool forward = form & 1;
    const int64_t gap = form % 5 == 0 ? 0 : 3;
    Epilogue epilogue{.accumulate = (form & 2) != 0};
    epilogue.activation = static_cast<Activation>(form / 4 % 3);
    epilogue.bias = form / 12 != 0 ? bias.data() : nullptr;
    const auto in = GuardedMatrix::random(m, k, gap, 1);
    const auto weight =
        forward ? GuardedMatrix::random(n, k, gap, 2, scale) : GuardedMatrix::random(k, n, gap, 2, scale);
    GuardedMatrix out = epilogue.accumulate ? GuardedMatrix::random(m, n, gap, 4) : GuardedMatrix(m, n, gap);
    const auto want = reference(in, weight, out, {.transpose_b = forward, .epilogue = epilogue});
    PackedWeight packed;
    packed.pack(weight.view(), forward ? PackedWeight::Use::forward : PackedWeight::Use::backward_data);
    packed.multiply(in.view(), out.view(), epilogue);
    SCOPED_TRACE(testing::Message() << "form " << form);
    expect_close(out.values(), want, kFp32);
    EXPECT_TRUE(out.intact());
  }
}

INSTANTIATE_TEST_SUITE_P(Gemm, GemmShapes, testing::ValuesIn(kShapes), [](const auto& p) {
  return "m" + std::to_string(p.param.m) + "n" + std::to_string(p.param.n) + "k" + std::to_string(p.param.k);
});

TEST(PackedWeight, PackAgainTakesTheNewValues) {
  const auto in = GuardedMatrix::random(5, 8, 0, 1);
  const auto first = GuardedMatrix::random(6, 8, 0, 2), second = GuardedMatrix::random(6, 8, 0, 3),
             wider = GuardedMatrix::random(9, 8, 0, 4);
  PackedWeight packed;
  for (const GuardedMatrix* weight : {&first, &second, &wider}) {
    packed.pack(weight->view(), PackedWeight::Use::forward);
    GuardedMatrix out(5, weight->rows());
    packed.multiply(in.view(), out.view());
    expect_close(out.values(), reference(in, *weight, out, {.transpose_b = true}), kFp32);
  }
}

TEST(PackedWeight, RowBitsDoNotDependOnOtherRows) {
  if (product_isa() < Isa::avx512) GTEST_SKIP() << "holds with AVX-512 only";
  for (const auto& [n, k] : {std::pair{576, 192}, {192, 768}, {10, 192}, {30, 10}}) {
    const auto in = GuardedMatrix::random(200, k, 0, 1);
    const auto weight = GuardedMatrix::random(n, k, 0, 2);
    PackedWeight packed;
    packed.pack(weight.view(), PackedWeight::Use::forward);
    GuardedMatrix all(200, n);
    packed.multiply(in.view(), all.view());
    for (int64_t rows : {1, 2, 7, 16, 31, 64, 65, 129})
      for (int64_t begin : {int64_t{0}, int64_t{5}, 200 - rows}) {
        GuardedMatrix some(rows, n);
        packed.multiply(in.view().slice(begin, rows), some.view());
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t c = 0; c < n; ++c) ASSERT_EQ(some(r, c), all(begin + r, c)) << rows << " rows from " << begin;
      }
  }
}

TEST(PackedWeight, ManyThreadsMultiplyAtOnce) {
  const auto in = GuardedMatrix::random(50, 33, 0, 1), weight = GuardedMatrix::random(20, 33, 0, 2);
  PackedWeight packed;
  packed.pack(weight.view(), PackedWeight::Use::forward);
  std::vector<GuardedMatrix> outs(4, GuardedMatrix(50, 20));
  std::vector<std::thread> threads;
  for (GuardedMatrix& out : outs)
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) packed.multiply(in.view(), out.view());
    });
  for (std::thread& thread : threads) thread.join();
  GuardedMatrix alone(50, 20);
  packed.multiply(in.view(), alone.view());
  for (const GuardedMatrix& out : outs) expect_close(out.values(), alone.values(), kExact);
}

std::ptrdiff_t threads_of_this_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return std::distance(begin(tasks), end(tasks));
}

TEST(Gemm, StartsNoThreads) {
  std::thread([] {
    const auto before = threads_of_this_process();
    const auto a = GuardedMatrix::random(512, 512, 0, 1), b = GuardedMatrix::random(512, 512, 0, 2);
    GuardedMatrix c(512, 512);
    gemm(a.view(), b.view(), c.view());
    gemm(a.view(), b.view(), c.view(), {.transpose_a = true});
    EXPECT_EQ(threads_of_this_process(), before);
  }).join();
}

TEST(Gemm, NotANumberSpreadsToItsRowOnly) {
  auto a = GuardedMatrix::random(4, 32, 0, 1);
  const auto b = GuardedMatrix::random(32, 20, 0, 2);
  a(2, 7) = std::numeric_limits<float>::quiet_NaN();
  GuardedMatrix c(4, 20);
  gemm(a.view(), b.view(), c.view());
  for (int64_t r = 0; r < 4; ++r)
    for (int64_t j = 0; j < 20; ++j) EXPECT_EQ(std::isnan(c(r, j)), r == 2) << r << ", " << j;
}

TEST(Gemm, EmptyResultIsNoWork) {
  const GuardedMatrix a(0, 4), b(4, 3);
  GuardedMatrix c(0, 3);
  EXPECT_NO_THROW(gemm(a.view(), b.view(), c.view()));
}

TEST(Gemm, ShapesThatDoNotMatchAreErrors) {
  const auto a = GuardedMatrix::random(4, 5, 0, 1), b = GuardedMatrix::random(5, 6, 0, 2);
  GuardedMatrix c(4, 6), narrow(4, 5), low(3, 6);
  EXPECT_THROW(gemm(a.view(), a.view(), c.view()), Error);
  EXPECT_THROW(gemm(a.view(), b.view(), narrow.view()), Error);
  EXPECT_THROW(gemm(a.view(), b.view(), low.view()), Error);
  EXPECT_THROW(gemm(a.view(), b.view(), c.view(), {.transpose_a = true}), Error);
  EXPECT_THROW(gemm(a.view()[0], b.view(), c.view()), Error);
  PackedWeight packed;
  EXPECT_THROW(packed.multiply(a.view(), c.view()), Error);
  packed.pack(b.view(), PackedWeight::Use::backward_data);
  EXPECT_THROW(packed.multiply(b.view(), c.view()), Error);
  EXPECT_THROW(packed.multiply(a.view(), narrow.view()), Error);
  EXPECT_NO_THROW(packed.multiply(a.view(), c.view()));
}

}  // namespace
}  // namespace vit
