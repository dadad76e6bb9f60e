#include "vit/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/kernels/attention_reference.h"
#include "tests/support/each_target.h"
#include "tests/support/guarded_matrix.h"
#include "tests/support/tolerance.h"

namespace vit::test {
namespace {

using namespace attention;

class AttentionCaseTest : public testing::TestWithParam<Case> {};

TEST_P(AttentionCaseTest, ForwardAndGradientsMatchTheDefinition) {
  Reference want(GetParam());
  want.backward();
  // Errors of the scores grow with their size, and exp makes them relative errors of the result.
  const double share = static_cast<double>(std::max(1.0f, GetParam().amplitude));
  const auto grown = [&](Tolerance fp32) {
    const Tolerance t = GetParam().type == DType::bf16 ? kBf16 : fp32;
    return Tolerance{share * t.abs, share * t.rel};
  };
  for_each_target([&] { expect_definition(Answer(want), want, grown); });
}

std::vector<Case> all_sizes() {
  std::vector<Case> cases;
  for (int64_t tokens : {1, 2, 5, 16, 17, 26, 65, 197, 300, 513})
    for (int64_t size : {8, 24, 32, 64, 80}) cases.push_back({tokens, size});
  return cases;
}

std::vector<Case> in_bf16(std::vector<Case> cases) {
  for (Case& c : cases) c.type = DType::bf16;
  return cases;
}

const std::vector<Case> kOddHeadSizes = {{19, 1}, {7, 5}, {40, 63}, {70, 2}, {33, 18}};
const std::vector<Case> kValidTokens = {{65, 64, 1},  {65, 64, 33},   {65, 64, 64},   {65, 64, 65},
                                        {26, 24, 17}, {513, 32, 100}, {513, 32, 300}, {513, 8, 512}};
const std::vector<Case> kDropout = {{1, 8, -1, 0.5f},     {5, 8, -1, 0.1f},    {65, 64, -1, 0.1f},
                                    {197, 64, 150, 0.2f}, {513, 32, -1, 0.9f}, {26, 24, 13, 0.001f}};
// Nearly one-hot rows whose maxima lie in any block of keys.
const std::vector<Case> kPeakedRows = {{65, 64, -1, 0, 30}, {600, 32, -1, 0, 30}};
const std::vector<Case> kSomeQueries = {
    {.tokens = 65, .head_size = 64, .query_count = 1},
    {.tokens = 197, .head_size = 64, .valid = 100, .query_count = 1},
    {.tokens = 513, .head_size = 24, .first_query = 512, .query_count = 1},
    {.tokens = 9, .head_size = 5, .first_query = 3, .query_count = 2},
    {.tokens = 197, .head_size = 64, .rate = 0.2f, .first_query = 30, .query_count = 7},
    {.tokens = 513, .head_size = 32, .valid = 300, .rate = 0.1f, .first_query = 400, .query_count = 100},
    {.tokens = 1, .head_size = 32, .query_count = 40}};

INSTANTIATE_TEST_SUITE_P(Sizes, AttentionCaseTest, testing::ValuesIn(all_sizes()), name_of);
INSTANTIATE_TEST_SUITE_P(OddHeadSizes, AttentionCaseTest, testing::ValuesIn(kOddHeadSizes), name_of);
INSTANTIATE_TEST_SUITE_P(ValidTokens, AttentionCaseTest, testing::ValuesIn(kValidTokens), name_of);
INSTANTIATE_TEST_SUITE_P(Dropout, AttentionCaseTest, testing::ValuesIn(kDropout), name_of);
INSTANTIATE_TEST_SUITE_P(PeakedRows, AttentionCaseTest, testing::ValuesIn(kPeakedRows), name_of);
INSTANTIATE_TEST_SUITE_P(SomeQueries, AttentionCaseTest, testing::ValuesIn(kSomeQueries), name_of);
INSTANTIATE_TEST_SUITE_P(Bf16Sizes, AttentionCaseTest, testing::ValuesIn(in_bf16(all_sizes())), name_of);
INSTANTIATE_TEST_SUITE_P(Bf16OddHeadSizes, AttentionCaseTest, testing::ValuesIn(in_bf16(kOddHeadSizes)), name_of);
INSTANTIATE_TEST_SUITE_P(Bf16ValidTokens, AttentionCaseTest, testing::ValuesIn(in_bf16(kValidTokens)), name_of);
INSTANTIATE_TEST_SUITE_P(Bf16Dropout, AttentionCaseTest, testing::ValuesIn(in_bf16(kDropout)), name_of);
INSTANTIATE_TEST_SUITE_P(Bf16PeakedRows, AttentionCaseTest, testing::ValuesIn(in_bf16(kPeakedRows)), name_of);
INSTANTIATE_TEST_SUITE_P(Bf16SomeQueries, AttentionCaseTest, testing::ValuesIn(in_bf16(kSomeQueries)), name_of);

TEST(AttentionReferenceTest, GradientsMatchDifferences) {
  for (const Case& shape : {Case{7, 5}, Case{9, 8, 6}, Case{9, 8, 7, 0.3f}}) {
    Reference reference(shape);
    reference.backward();
    const auto check = [&](Doubles Reference::*input, const Doubles& gradient) {
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        double& x = (reference.*input)[i];
        const double before = x, step = 1e-5;
        x = before + step;
        const double above = reference.loss();
        x = before - step;
        const double below = reference.loss();
        x = before;
        EXPECT_NEAR((above - below) / (2 * step), gradient[i], 1e-8);
      }
    };
    check(&Reference::q, reference.dq);
    check(&Reference::k, reference.dk);
    check(&Reference::v, reference.dv);
  }
}

TEST(AttentionTest, DropoutKeepsTheMean) {
  // With v = 1 each output is the sum of the kept probabilities, whose mean is 1.
  Reference reference(Case{513, 8, -1, 0.25f});
  std::fill(reference.v.begin(), reference.v.end(), 1.0);
  for_each_target([&] {
    const Answer got(reference);
    const double mean = std::accumulate(got.out.begin(), got.out.end(), 0.0) / static_cast<double>(got.out.size());
    EXPECT_NEAR(mean, 1, 5e-3);
    EXPECT_GT(std::set<float>(got.out.begin(), got.out.end()).size(), 400U);
  });
}

/// Forward into int8 for the inputs of a reference.
template <class T>
void check_int8_out(const Case& shape) {
  const Reference want(shape);
  AttentionOptions options = options_of(shape);
  options.out_scale = 60;  // 127 is at 2.1 deviations of v, so some rows of a few keys are beyond
  auto out = sheet<int8_t>(shape.queries(), shape);
  GuardedMatrix scratch = scratch_for(shape);
  attention_forward(sheet<T>(shape, want.q).view(), sheet<T>(shape, want.k).view(), sheet<T>(shape, want.v).view(),
                    options, out.view(), nullptr, scratch.data());
  EXPECT_TRUE(out.intact() && scratch.intact());
  const Tolerance t = shape.type == DType::bf16 ? kBf16 : kFp32;
  Doubles scaled = want.out;
  for (double& x : scaled) x = std::clamp(60 * x, -127.0, 127.0);
  expect_close(out.values(), scaled, Tolerance{0.5 + 60 * t.abs, t.rel});
}

TEST(AttentionTest, Int8OutIsScaledRoundedAndSaturated) {
  for (const Case& shape : {Case{1, 64}, Case{2, 33}, Case{65, 64, 3, 0.1f}, Case{300, 24}})
    for_each_target([&] {
      check_int8_out<float>(shape);
      Case narrow = shape;
      narrow.type = DType::bf16;
      check_int8_out<BFloat16>(narrow);
    });
}

TEST(AttentionTest, SameBitsEveryTime) {
  for (const Case& shape : {Case{197, 64, 190, 0.1f}, Case{.tokens = 197, .head_size = 64, .type = DType::bf16}}) {
    const Reference reference(shape);
    const Answer first(reference), second(reference);
    EXPECT_EQ(first.out, second.out);
    EXPECT_EQ(first.dq, second.dq);
    EXPECT_EQ(first.dk, second.dk);
    EXPECT_EQ(first.dv, second.dv);
  }
}

/// Some queries of 300 have the bits that they have among all.
void check_company(const Case& whole) {
  const Reference all(whole);
  const int64_t size = whole.head_size;
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
      some.q = cut(all.q, size);
      some.dout = cut(all.dout, size);
      const Answer got(some);
      EXPECT_EQ(got.out, cut(want.out, size)) << first;
      EXPECT_EQ(got.log_sum_exp, cut(want.log_sum_exp, 1)) << first;
      EXPECT_EQ(got.dq, cut(want.dq, size)) << first;
    }
  });
}

TEST(AttentionTest, AQuerysBitsDoNotDependOnItsCompany) {
  for (const DType type : {DType::f32, DType::bf16})
    for (const float rate : {0.0f, 0.1f}) {
      check_company({.tokens = 300, .head_size = 40, .valid = 290, .rate = rate, .type = type});
      // One key: log_sum_exp shows every bit of its score.
      check_company({.tokens = 1, .head_size = 64, .rate = rate, .type = type, .query_count = 300});
    }
}

TEST(AttentionTest, MaskedKeysMayHoldAnything) {
  for (const DType type : {DType::f32, DType::bf16}) {
    Reference reference(Case{.tokens = 65, .head_size = 64, .valid = 50, .type = type});
    const Answer before(reference);
    for (int64_t i = 50 * 64; i < 65 * 64; ++i) reference.k[at(0, i, 0)] = reference.v[at(0, i, 0)] = HUGE_VAL;
    const Answer after(reference);
    EXPECT_EQ(after.out, before.out);
    EXPECT_EQ(after.dq, before.dq);
    EXPECT_EQ(after.dk, before.dk);
    EXPECT_EQ(after.dv, before.dv);
  }
}

TEST(AttentionTest, NanStaysVisible) {
  for (const DType type : {DType::f32, DType::bf16}) {
    Reference reference(Case{.tokens = 26, .head_size = 24, .type = type});
    reference.q[3 * 24] = std::nan("");
    for_each_target([&] {
      const Answer got(reference);
      for (int64_t row = 0; row < 26; ++row) EXPECT_EQ(std::isnan(got.out[at(row, 0, 24)]), row == 3) << row;
    });
  }
}

TEST(AttentionScratchTest, GrowsWithTokensNotTheirSquare) {
  for (const DType type : {DType::f32, DType::bf16})
    EXPECT_LT(attention_scratch(16384, 16384, 64, type), 16384 * 64 * 12);
}

// What more keys add is the same for any number of queries, and the other way round.
TEST(AttentionScratchTest, HoldsNoWholeRowsOfScores) {
  for (const DType type : {DType::f32, DType::bf16}) {
    const auto growth = [type](int64_t queries) {
      return attention_scratch(queries, 4096, 16, type) - attention_scratch(queries, 2048, 16, type);
    };
    EXPECT_EQ(growth(500), growth(1));
    const auto growth_by_queries = [type](int64_t keys) {
      return attention_scratch(4096, keys, 16, type) - attention_scratch(2048, keys, 16, type);
    };
    EXPECT_EQ(growth_by_queries(500), growth_by_queries(1));
  }
}

TEST(AttentionScratchTest, ServesFewerQueriesAndKeys) {
  for (const DType type : {DType::f32, DType::bf16})
    for (int64_t n = 1; n < 600; ++n) {
      EXPECT_LE(attention_scratch(n, 500, 24, type), attention_scratch(n + 1, 500, 24, type)) << n;
      EXPECT_LE(attention_scratch(80, n, 24, type), attention_scratch(80, n + 1, 24, type)) << n;
    }
}

TEST(AttentionMapTest, IsTheSoftmaxOfTheScores) {
  const auto check = [](const Case& shape, const auto& q, const auto& k) {
    GuardedMatrix map(shape.queries(), shape.tokens, 5);
    attention_map(q.view(), k.view(), options_of(shape), map.view());
    expect_close(map.values(), Reference(shape).p, kFp32);
    EXPECT_TRUE(map.intact());
  };
  for (Case shape : {Case{1, 8}, Case{26, 24}, Case{65, 64, 50}, {.tokens = 26, .head_size = 24, .query_count = 3}}) {
    const Reference want(shape);
    check(shape, sheet<float>(shape, want.q), sheet<float>(shape, want.k));
    shape.type = DType::bf16;
    const Reference narrow(shape);
    check(shape, sheet<BFloat16>(shape, narrow.q), sheet<BFloat16>(shape, narrow.k));
  }
}

TEST(AttentionErrorTest, WrongShapesAreNamed) {
  GuardedMatrix m(4, 8), other(5, 8);
  GuardedMatrix scratch(1, attention_scratch(4, 4, 8, DType::f32));
  const auto text = [&](TensorView<float> v, int64_t valid_tokens) -> std::string {
    AttentionOptions options;
    options.valid_tokens = valid_tokens;
    try {
      attention_forward(m.view(), m.view(), v, options, m.view(), nullptr, scratch.data());
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(text(other.view(), 4), "[attention: v] needs [4, 8], has [5, 8]");
  EXPECT_EQ(text(m.view(), 5), "[attention: valid_tokens] needs 1 to 4, has 5");
  EXPECT_EQ(text(m.view(), 0), "[attention: valid_tokens] needs 1 to 4, has 0");
}

TEST(AttentionErrorTest, WrongTypesAreNamed) {
  GuardedMatrix wide(4, 8);
  Guarded<BFloat16> narrow(4, 8);
  Guarded<int8_t> bytes(4, 8);
  const auto text = [&](ConstMatrix q, ConstMatrix v, Matrix out) -> std::string {
    try {
      attention_forward(q, q, v, {}, out, nullptr, nullptr);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(text(wide.view(), narrow.view(), wide.view()), "[attention: v] needs fp32, has bf16");
  EXPECT_EQ(text(narrow.view(), narrow.view(), wide.view()), "[attention: out] needs bf16, has fp32");
  EXPECT_EQ(text(bytes.view(), bytes.view(), bytes.view()), "[attention: q] needs fp32 or bf16, has int8");
}

}  // namespace
}  // namespace vit::test
