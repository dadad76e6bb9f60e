#include "vit/kernels/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <iterator>
#include <limits>
#include <thread>

#include "tests/support/guarded_matrix.h"
#include "tests/support/tolerance.h"
#include "vit/kernels/isa.h"
#include "vit/kernels/product_fault.h"

namespace vit {
namespace {

using test::as_float;
using test::expect_close;
using test::Guarded;
using test::GuardedMatrix;
using test::kBf16Elementwise;
using test::kExact;
using test::kFp32;
using test::Tolerance;
using Use = PackedWeight::Use;

using GuardedBf16 = Guarded<BFloat16>;
using GuardedInt8 = Guarded<int8_t>;

/// Skips where the processor, or VIT_ISA, has no instructions for the type.
#define VIT_NEEDS_PRODUCTS_OF(type, isa) \
  if (product_isa() < Isa::isa) GTEST_SKIP() << type " products need " #isa

#define VIT_NEEDS_INT8                   \
  VIT_NEEDS_PRODUCTS_OF("int8", avx512); \
  if (!product_fault(DType::i8).empty()) GTEST_SKIP() << product_fault(DType::i8)

// Sums are fp32 whatever the inputs are, so only rounding the result to bf16 widens the limit.
template <class T>
constexpr Tolerance result_tolerance() {
  return dtype_of<T> == DType::bf16 ? kBf16Elementwise : kFp32;
}

template <class T>
double element(const Guarded<T>& m, bool transposed, int64_t r, int64_t c) {
  return static_cast<double>(as_float(transposed ? m(c, r) : m(r, c)));
}

// What a product should write, in double, from the elements as they are in memory.
template <class T, class To>
std::vector<double> reference(const Guarded<T>& a, const Guarded<T>& b, const Guarded<To>& old,
                              const GemmOptions& options, const float* bias = nullptr) {
  const int64_t k = options.transpose_a ? a.rows() : a.cols();
  std::vector<double> c;
  for (int64_t i = 0; i < old.rows(); ++i)
    for (int64_t j = 0; j < old.cols(); ++j) {
      double sum = bias == nullptr ? 0.0 : static_cast<double>(bias[j]);
      for (int64_t l = 0; l < k; ++l)
        sum += element(a, options.transpose_a, i, l) * element(b, options.transpose_b, l, j);
      c.push_back(sum + (options.accumulate ? static_cast<double>(as_float(old(i, j))) : 0.0));
    }
  return c;
}

/// What a result is written over: NaN unless it is added to, as overwriting must not read it.
template <class To>
Guarded<To> result(int64_t rows, int64_t cols, int64_t gap, bool accumulate) {
  return accumulate ? Guarded<To>::random(rows, cols, gap, 4) : Guarded<To>(rows, cols, gap);
}

struct Shape {
  int64_t m, n, k;
};
const Shape kShapes[] = {{1, 1, 1},    {1, 10, 192}, {2, 3, 5},      {7, 30, 17},    {16, 16, 16},
                         {65, 48, 33}, {64, 10, 48}, {130, 192, 65}, {33, 100, 257}, {192, 1, 1},
                         {33, 1, 257}, {1, 1, 64},   {7, 10, 1}};

class GemmShapes : public testing::TestWithParam<Shape> {
 protected:
  const int64_t m = GetParam().m, n = GetParam().n, k = GetParam().k;
  const float scale = 1 / std::sqrt(static_cast<float>(k));
  const GuardedMatrix bias = GuardedMatrix::random(1, n, 0, 3);

  /// c (op)= a b with both operands of T.
  template <class T, class To>
  void expect_gemm() const {
    for (int form = 0; form < 2 * 2 * 2 * 2; ++form) {
      const GemmOptions options{(form & 1) != 0, (form & 2) != 0, (form & 4) != 0};
      const int64_t gap = (form & 8) != 0 ? 0 : 3;
      const auto a = options.transpose_a ? Guarded<T>::random(k, m, gap, 1) : Guarded<T>::random(m, k, gap, 1);
      const auto b =
          options.transpose_b ? Guarded<T>::random(n, k, gap, 2, scale) : Guarded<T>::random(k, n, gap, 2, scale);
      auto c = result<To>(m, n, gap, options.accumulate);
      const auto want = reference(a, b, c, options);
      gemm(a.view(), b.view(), c.view(), options);
      SCOPED_TRACE(testing::Message() << "form " << form);
      expect_close(c.values(), want, result_tolerance<To>());
      EXPECT_TRUE(c.intact());
    }
  }

  /// The weight is packed as T from fp32 rows, which may be strided.
  template <class T, class To>
  void expect_packed(Use use, bool with_bias) const {
    const bool forward = use == Use::forward;
    for (const bool accumulate : {false, true})
      for (const int64_t gap : {0, 3}) {
        const auto in = Guarded<T>::random(m, k, 0, 1);
        const auto weight =
            forward ? GuardedMatrix::random(n, k, gap, 2, scale) : GuardedMatrix::random(k, n, gap, 2, scale);
        Guarded<T> rounded(weight.rows(), weight.cols());
        for (int64_t r = 0; r < weight.rows(); ++r)
          for (int64_t c = 0; c < weight.cols(); ++c) test::assign(rounded(r, c), weight(r, c));
        auto out = result<To>(m, n, 0, accumulate);
        const float* b = with_bias ? bias.data() : nullptr;
        const auto want = reference(in, rounded, out, {.transpose_b = forward, .accumulate = accumulate}, b);
        PackedWeight packed;
        packed.pack(weight.view(), use, {.type = dtype_of<T>, .bias = b});
        packed.multiply(in.view(), out.view(), accumulate);
        SCOPED_TRACE(testing::Message() << (forward ? "forward" : "backward") << " gap " << gap
                                        << (accumulate ? " accumulate" : "") << (with_bias ? " bias" : ""));
        expect_close(out.values(), want, result_tolerance<To>());
        EXPECT_TRUE(out.intact());
      }
  }
};

TEST_P(GemmShapes, AllTransposesAndStrides) { expect_gemm<float, float>(); }

TEST_P(GemmShapes, AllTransposesAndStridesOfBf16) {
  VIT_NEEDS_PRODUCTS_OF("bf16", avx512_bf16);
  expect_gemm<BFloat16, float>();
  expect_gemm<BFloat16, BFloat16>();
}

TEST_P(GemmShapes, PackedWeight) {
  for (const bool with_bias : {false, true}) expect_packed<float, float>(Use::forward, with_bias);
  expect_packed<float, float>(Use::backward_data, false);
}

TEST_P(GemmShapes, PackedWeightOfBf16) {
  VIT_NEEDS_PRODUCTS_OF("bf16", avx512_bf16);
  for (const bool with_bias : {false, true}) {
    expect_packed<BFloat16, float>(Use::forward, with_bias);
    expect_packed<BFloat16, BFloat16>(Use::forward, with_bias);
  }
  expect_packed<BFloat16, float>(Use::backward_data, false);
  expect_packed<BFloat16, BFloat16>(Use::backward_data, false);
}

/// A weight made from its int8 values: row o is (q + less than half) * unit(o), and its largest element exactly 127
/// units, so by the rule "the largest of a row is 127, the others are rounded" it is known without arithmetic of ours.
struct QuantizedWeight {
  QuantizedWeight(int64_t outputs, int64_t inputs, int64_t gap) : values(outputs, inputs, gap), q(outputs, inputs) {
    RandomStream random(9, RandomPurpose::test);
    for (int64_t o = 0; o < outputs; ++o) {
      units.push_back(static_cast<float>(1 + o % 7) / (160 * std::sqrt(static_cast<float>(inputs))));
      for (int64_t i = 0; i < inputs; ++i) {
        const bool top = i == o % inputs;
        q(o, i) = static_cast<int8_t>(top ? (o % 2 == 0 ? 127 : -127) : static_cast<int>(random.below(253)) - 126);
        values(o, i) = (static_cast<float>(q(o, i)) + (top ? 0 : random.uniform(-0.4f, 0.4f))) * units.back();
      }
    }
  }
  GuardedMatrix values;
  GuardedInt8 q;
  std::vector<float> units;
};

template <class To>
void expect_int8(const Shape& shape, const float* bias) {
  constexpr float kInputScale = 0.023f;
  for (const bool accumulate : {false, true})
    for (const int64_t gap : {0, 3}) {
      auto in = GuardedInt8::random(shape.m, shape.k, 0, 1, 25);
      in(0, 0) = 127;
      in(shape.m - 1, shape.k - 1) = -127;
      const QuantizedWeight weight(shape.n, shape.k, gap);
      auto out = result<To>(shape.m, shape.n, 0, accumulate);
      std::vector<double> want = reference(in, weight.q, GuardedMatrix(shape.m, shape.n), {.transpose_b = true});
      for (std::size_t i = 0; i < want.size(); ++i) {
        const auto r = static_cast<int64_t>(i) / shape.n, o = static_cast<int64_t>(i) % shape.n;
        want[i] *= double{kInputScale} * double{weight.units[static_cast<std::size_t>(o)]};
        if (bias != nullptr) want[i] += double{bias[o]};
        if (accumulate) want[i] += double{as_float(out(r, o))};
      }
      PackedWeight packed;
      packed.pack(weight.values.view(), Use::forward, {.type = DType::i8, .bias = bias, .input_scale = kInputScale});
      packed.multiply(in.view(), out.view(), accumulate);
      SCOPED_TRACE(testing::Message() << "gap " << gap << (accumulate ? " accumulate" : ""));
      expect_close(out.values(), want, result_tolerance<To>());
      EXPECT_TRUE(out.intact());
    }
}

TEST_P(GemmShapes, PackedWeightOfInt8) {
  VIT_NEEDS_INT8;
  for (const float* b : {static_cast<const float*>(nullptr), bias.data()}) {
    expect_int8<float>(GetParam(), b);
    if (product_isa() >= Isa::avx512_bf16) expect_int8<BFloat16>(GetParam(), b);
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
    const auto bias = GuardedMatrix::random(1, weight->rows(), 0, 5);
    for (const float* b : {bias.data(), static_cast<const float*>(nullptr)}) {
      packed.pack(weight->view(), Use::forward, {.bias = b});
      GuardedMatrix out(5, weight->rows());
      packed.multiply(in.view(), out.view());
      expect_close(out.values(), reference(in, *weight, out, {.transpose_b = true}, b), kFp32);
    }
  }
}

/// Sums that a processor without VNNI cannot hold in its pairs of 16 bits.
TEST_P(GemmShapes, LargestInt8IsExact) {
  VIT_NEEDS_INT8;
  for (const float sign : {1.0f, -1.0f}) {
    GuardedInt8 in(m, k);
    GuardedMatrix weight(n, k), out(m, n);
    in.fill(127);
    weight.fill(127 * sign);  // scale 1
    PackedWeight packed;
    packed.pack(weight.view(), Use::forward, {.type = DType::i8});
    packed.multiply(in.view(), out.view());
    for (const float sum : out.values()) ASSERT_EQ(sum, sign * static_cast<float>(k * 127 * 127));
  }
}

TEST(PackedWeight, PackAgainTakesTheNewScalesOfInt8) {
  VIT_NEEDS_INT8;
  const auto in = GuardedInt8::random(5, 8, 0, 1, 25);
  const QuantizedWeight weight(6, 8, 0);
  PackedWeight packed;
  std::vector<double> sums = reference(in, weight.q, GuardedMatrix(5, 6), {.transpose_b = true});
  for (const float input_scale : {0.02f, 0.5f, 0.07f}) {
    packed.pack(weight.values.view(), Use::forward, {.type = DType::i8, .input_scale = input_scale});
    GuardedMatrix out(5, 6);
    packed.multiply(in.view(), out.view());
    std::vector<double> want = sums;
    for (std::size_t i = 0; i < want.size(); ++i) want[i] *= double{input_scale} * double{weight.units[i % 6]};
    expect_close(out.values(), want, kFp32);
  }
}

TEST(PackedWeight, NoInt8ProductOutlivesItsWeight) {
  VIT_NEEDS_INT8;
  const auto in = GuardedInt8::random(5, 8, 0, 1, 25);
  const auto weight = GuardedMatrix::random(6, 8, 0, 2);
  const int64_t before = kept_products();
  for (int i = 0; i < 20; ++i) {
    PackedWeight packed;
    packed.pack(weight.view(), Use::forward, {.type = DType::i8});
    GuardedMatrix out(5, 6);
    packed.multiply(in.view(), out.view());
  }
  EXPECT_LE(kept_products(), before + 1);
}

TEST(PackedWeight, RowOfZerosIsZeroInInt8) {
  VIT_NEEDS_INT8;
  const auto in = GuardedInt8::random(5, 8, 0, 1, 25);
  GuardedMatrix weight(3, 8), out(5, 3);
  weight.fill(0);
  const std::vector<float> bias{1, -2, 3};
  PackedWeight packed;
  packed.pack(weight.view(), Use::forward, {.type = DType::i8, .bias = bias.data(), .input_scale = 0.1f});
  packed.multiply(in.view(), out.view());
  for (int64_t r = 0; r < 5; ++r)
    for (int64_t o = 0; o < 3; ++o) EXPECT_EQ(out(r, o), bias[static_cast<std::size_t>(o)]);
}

template <class T>
void expect_rows_alone() {
  for (const auto& [n, k] : {std::pair{576, 192}, {192, 768}, {10, 192}, {30, 10}}) {
    const auto in = Guarded<T>::random(200, k, 0, 1, dtype_of<T> == DType::i8 ? 25.0f : 1.0f);
    const auto weight = GuardedMatrix::random(n, k, 0, 2);
    PackedWeight packed;
    packed.pack(weight.view(), Use::forward, {.type = dtype_of<T>});
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

TEST(PackedWeight, RowBitsDoNotDependOnOtherRows) {
  if (product_isa() < Isa::avx512) GTEST_SKIP() << "holds with AVX-512 only";
  expect_rows_alone<float>();
  if (product_fault(DType::i8).empty()) expect_rows_alone<int8_t>();
  if (product_isa() >= Isa::avx512_bf16) expect_rows_alone<BFloat16>();
}

TEST(PackedWeight, ManyThreadsMultiplyAtOnce) {
  const auto in = GuardedMatrix::random(50, 33, 0, 1), weight = GuardedMatrix::random(20, 33, 0, 2);
  PackedWeight packed;
  packed.pack(weight.view(), Use::forward, {});
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

TEST(PackedWeight, StridedRowsAreRefused) {
  const auto dense_in = GuardedMatrix::random(4, 5, 0, 1), strided_in = GuardedMatrix::random(4, 5, 2, 1);
  const auto weight = GuardedMatrix::random(6, 5, 0, 2);
  GuardedMatrix dense_out(4, 6), strided_out(4, 6, 2);
  PackedWeight packed;
  packed.pack(weight.view(), Use::forward, {});
  EXPECT_THROW(packed.multiply(strided_in.view(), dense_out.view()), Error);
  EXPECT_THROW(packed.multiply(dense_in.view(), strided_out.view()), Error);
  EXPECT_NO_THROW(packed.multiply(dense_in.view(), dense_out.view()));
  // One row has no stride.
  EXPECT_NO_THROW(packed.multiply(strided_in.view().slice(0, 1), strided_out.view().slice(0, 1)));
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
  packed.pack(b.view(), Use::backward_data, {});
  EXPECT_THROW(packed.multiply(b.view(), c.view()), Error);
  EXPECT_THROW(packed.multiply(a.view(), narrow.view()), Error);
  EXPECT_NO_THROW(packed.multiply(a.view(), c.view()));
}

TEST(Gemm, TypesThatHaveNoProductAreErrors) {
  const auto a = GuardedMatrix::random(4, 5, 0, 1), b = GuardedMatrix::random(5, 6, 0, 2);
  const auto narrow_a = GuardedBf16::random(4, 5, 0, 1);
  GuardedMatrix c(4, 6);
  GuardedBf16 narrow_c(4, 6);
  EXPECT_THROW(gemm(narrow_a.view(), b.view(), c.view()), Error);
  EXPECT_THROW(gemm(a.view(), b.view(), narrow_c.view()), Error);
  PackedWeight packed;
  const std::vector<float> bias(6);
  EXPECT_THROW(packed.pack(b.view(), Use::backward_data, {.type = DType::i8}), Error);
  EXPECT_THROW(packed.pack(b.view(), Use::backward_data, {.bias = bias.data()}), Error);
  packed.pack(b.view(), Use::backward_data, {});
  EXPECT_THROW(packed.multiply(narrow_a.view(), c.view()), Error);
  EXPECT_THROW(packed.multiply(a.view(), narrow_c.view()), Error);
}

}  // namespace
}  // namespace vit
