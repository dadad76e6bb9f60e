#include "vit/kernels/attention.h"

#include <cmath>
#include <cstdint>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "tests/support/each_target.h"
#include "tests/support/guarded_matrix.h"
#include "tests/support/tolerance.h"
#include "vit/core/rng.h"

namespace vit::test {
namespace {

struct Case {
  int64_t tokens, head_size;
  int64_t valid = -1;
  float rate = 0;
  float amplitude = 1;  // of the scores

  int64_t keys() const { return valid < 0 ? tokens : valid; }
  double scale() const { return static_cast<double>(amplitude) / std::sqrt(static_cast<double>(head_size)); }
};

std::string name_of(const testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  std::string name = concat("N", c.tokens, "_K", c.head_size);
  if (c.valid >= 0) name += concat("_valid", c.valid);
  if (c.rate > 0) name += concat("_drop", std::lround(c.rate * 1000), "permille");
  if (c.amplitude > 1) name += concat("_amplitude", c.amplitude);
  return name;
}

using Doubles = std::vector<double>;

std::size_t at(int64_t row, int64_t col, int64_t cols) { return static_cast<std::size_t>(row * cols + col); }

Doubles random_matrix(int64_t rows, int64_t cols, uint64_t stream) {
  RandomStream random(7, RandomPurpose::test, stream);
  Doubles m(static_cast<std::size_t>(rows * cols));
  for (double& x : m) x = static_cast<double>(random.normal());
  return m;
}

/// Attention written down from its definition, in double.
struct Reference {
  Case shape;
  Doubles q, k, v, dout;
  Doubles mask;  // [N, N], 0 or 1 / (1 - rate)
  Doubles p, out, log_sum_exp;
  Doubles dq, dk, dv;

  explicit Reference(const Case& c)
      : shape(c),
        q(random_matrix(c.tokens, c.head_size, 1)),
        k(random_matrix(c.tokens, c.head_size, 2)),
        v(random_matrix(c.tokens, c.head_size, 3)),
        dout(random_matrix(c.tokens, c.head_size, 4)),
        mask(draw_mask(c)) {
    forward();
  }

  static DropoutMask dropout(const Case& c) { return {c.rate, 0x1122334455667788, 0x99aabbccddeeff00}; }

  static Doubles draw_mask(const Case& c) {
    const DropoutMask mask = dropout(c);
    const auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
    const auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
    Doubles m;
    for (int64_t query = 0; query < c.tokens; ++query)
      for (int64_t key = 0; key < c.tokens; ++key) {
        const auto index = static_cast<uint64_t>(query * ((c.tokens + 3) / 4 * 4) + key);
        const auto words = philox4x32({low(index / 4), high(index / 4), low(mask.stream), high(mask.stream)},
                                      {low(mask.seed), high(mask.seed)});
        const bool dropped = static_cast<double>(words[index % 4]) * 0x1p-32 < static_cast<double>(mask.rate);
        m.push_back(dropped ? 0 : 1 / (1 - static_cast<double>(mask.rate)));
      }
    return m;
  }

  void forward() {
    const int64_t n = shape.tokens, size = shape.head_size, keys = shape.keys();
    p.assign(static_cast<std::size_t>(n * n), 0);
    out.assign(static_cast<std::size_t>(n * size), 0);
    log_sum_exp.assign(static_cast<std::size_t>(n), 0);
    for (int64_t i = 0; i < n; ++i) {
      Doubles score(static_cast<std::size_t>(keys));
      for (int64_t j = 0; j < keys; ++j) {
        double dot = 0;
        for (int64_t c = 0; c < size; ++c) dot += q[at(i, c, size)] * k[at(j, c, size)];
        score[at(0, j, 0)] = shape.scale() * dot;
      }
      double top = -HUGE_VAL;
      for (double x : score) top = std::max(top, x);
      double sum = 0;
      for (double s : score) sum += std::exp(s - top);
      log_sum_exp[at(0, i, 0)] = top + std::log(sum);
      for (int64_t j = 0; j < keys; ++j) {
        const double probability = p[at(i, j, n)] = std::exp(score[at(0, j, 0)] - top) / sum;
        for (int64_t c = 0; c < size; ++c) out[at(i, c, size)] += mask[at(i, j, n)] * probability * v[at(j, c, size)];
      }
    }
  }

  void backward() {
    const int64_t n = shape.tokens, size = shape.head_size, keys = shape.keys();
    for (Doubles* m : {&dq, &dk, &dv}) m->assign(static_cast<std::size_t>(n * size), 0);
    for (int64_t i = 0; i < n; ++i) {
      Doubles dp(static_cast<std::size_t>(keys));
      double mean = 0;
      for (int64_t j = 0; j < keys; ++j) {
        const double kept = mask[at(i, j, n)], probability = p[at(i, j, n)];
        for (int64_t c = 0; c < size; ++c) {
          dp[at(0, j, 0)] += kept * dout[at(i, c, size)] * v[at(j, c, size)];
          dv[at(j, c, size)] += kept * probability * dout[at(i, c, size)];
        }
        mean += probability * dp[at(0, j, 0)];
      }
      for (int64_t j = 0; j < keys; ++j) {
        const double dscore = shape.scale() * p[at(i, j, n)] * (dp[at(0, j, 0)] - mean);
        for (int64_t c = 0; c < size; ++c) {
          dq[at(i, c, size)] += dscore * k[at(j, c, size)];
          dk[at(j, c, size)] += dscore * q[at(i, c, size)];
        }
      }
    }
  }

  /// A random projection of the output.
  double loss() {
    forward();
    return std::inner_product(out.begin(), out.end(), dout.begin(), 0.0);
  }
};

/// Rows as far apart as those of one head in a wider matrix.
GuardedMatrix sheet(const Case& shape) { return GuardedMatrix(shape.tokens, shape.head_size, 2 * shape.head_size + 3); }

GuardedMatrix sheet(const Case& shape, const Doubles& from) {
  GuardedMatrix m = sheet(shape);
  for (int64_t r = 0; r < m.rows(); ++r)
    for (int64_t c = 0; c < m.cols(); ++c) m(r, c) = static_cast<float>(from[at(r, c, m.cols())]);
  return m;
}

AttentionOptions options_of(const Case& shape) {
  AttentionOptions options;
  options.scale = static_cast<float>(shape.scale());
  options.valid_tokens = shape.valid;
  options.dropout = Reference::dropout(shape);
  return options;
}

/// The kernels' answers for the inputs of a reference.
struct Answer {
  std::vector<float> out, log_sum_exp, dq, dk, dv;
  bool intact = false;  // nothing was written beside the results

  explicit Answer(const Reference& r) {
    const Case& c = r.shape;
    const GuardedMatrix q_in = sheet(c, r.q), k_in = sheet(c, r.k), v_in = sheet(c, r.v), dout_in = sheet(c, r.dout);
    GuardedMatrix result = sheet(c), dq_out = sheet(c), dk_out = sheet(c), dv_out = sheet(c);
    GuardedMatrix lse(1, c.tokens), scratch(1, attention_scratch(c.tokens, c.tokens, c.head_size, DType::f32));
    const AttentionOptions options = options_of(c);
    attention_forward(q_in.view(), k_in.view(), v_in.view(), options, result.view(), lse.data(), scratch.data());
    // Backward needs nothing that forward left in the scratch.
    scratch.fill(std::nanf(""));
    attention_backward(dout_in.view(), q_in.view(), k_in.view(), v_in.view(), result.view(), lse.data(), options,
                       {dq_out.view(), dk_out.view(), dv_out.view()}, scratch.data());
    out = result.values();
    log_sum_exp = lse.values();
    dq = dq_out.values();
    dk = dk_out.values();
    dv = dv_out.values();
    intact =
        result.intact() && lse.intact() && scratch.intact() && dq_out.intact() && dk_out.intact() && dv_out.intact();
  }
};

class AttentionCaseTest : public testing::TestWithParam<Case> {};

TEST_P(AttentionCaseTest, ForwardAndGradientsMatchTheDefinition) {
  Reference want(GetParam());
  want.backward();
  // Errors of the scores grow with their size, and exp makes them relative errors of the result.
  const double share = static_cast<double>(std::max(1.0f, GetParam().amplitude));
  const auto grown = [&](Tolerance t) { return Tolerance{share * t.abs, share * t.rel}; };
  for_each_target([&] {
    const Answer got(want);
    EXPECT_TRUE(got.intact);
    expect_close(got.out, want.out, grown(kFp32));
    expect_close(got.log_sum_exp, want.log_sum_exp, kFp32);
    expect_close(got.dq, want.dq, grown(kFp32Gradient));
    expect_close(got.dk, want.dk, grown(kFp32Gradient));
    expect_close(got.dv, want.dv, grown(kFp32Gradient));
  });
}

std::vector<Case> all_sizes() {
  std::vector<Case> cases;
  for (int64_t tokens : {1, 2, 5, 16, 17, 26, 65, 197, 300, 513})
    for (int64_t size : {8, 24, 32, 64, 80}) cases.push_back({tokens, size});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Sizes, AttentionCaseTest, testing::ValuesIn(all_sizes()), name_of);
INSTANTIATE_TEST_SUITE_P(OddHeadSizes, AttentionCaseTest,
                         testing::Values(Case{.tokens = 19, .head_size = 1}, Case{.tokens = 7, .head_size = 5},
                                         Case{.tokens = 40, .head_size = 63}),
                         name_of);
INSTANTIATE_TEST_SUITE_P(ValidTokens, AttentionCaseTest,
                         testing::Values(Case{65, 64, 1}, Case{65, 64, 33}, Case{65, 64, 64}, Case{65, 64, 65},
                                         Case{26, 24, 17}, Case{513, 32, 100}, Case{513, 32, 300}, Case{513, 8, 512}),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Dropout, AttentionCaseTest,
                         testing::Values(Case{1, 8, -1, 0.5f}, Case{5, 8, -1, 0.1f}, Case{65, 64, -1, 0.1f},
                                         Case{197, 64, 150, 0.2f}, Case{513, 32, -1, 0.9f}, Case{26, 24, 13, 0.001f}),
                         name_of);
// Nearly one-hot rows whose maxima lie in any block of keys.
INSTANTIATE_TEST_SUITE_P(PeakedRows, AttentionCaseTest,
                         testing::Values(Case{65, 64, -1, 0, 30}, Case{600, 32, -1, 0, 30}), name_of);

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

TEST(AttentionTest, SameBitsEveryTime) {
  const Reference reference(Case{197, 64, 190, 0.1f});
  const Answer first(reference), second(reference);
  EXPECT_EQ(first.out, second.out);
  EXPECT_EQ(first.dq, second.dq);
  EXPECT_EQ(first.dk, second.dk);
  EXPECT_EQ(first.dv, second.dv);
}

TEST(AttentionTest, MaskedKeysMayHoldAnything) {
  Reference reference(Case{65, 64, 50});
  const Answer before(reference);
  for (int64_t i = 50 * 64; i < 65 * 64; ++i) reference.k[at(0, i, 0)] = reference.v[at(0, i, 0)] = HUGE_VAL;
  const Answer after(reference);
  EXPECT_EQ(after.out, before.out);
  EXPECT_EQ(after.dq, before.dq);
  EXPECT_EQ(after.dk, before.dk);
  EXPECT_EQ(after.dv, before.dv);
}

TEST(AttentionTest, NanStaysVisible) {
  Reference reference(Case{26, 24});
  reference.q[3 * 24] = std::nan("");
  for_each_target([&] {
    const Answer got(reference);
    for (int64_t row = 0; row < 26; ++row) EXPECT_EQ(std::isnan(got.out[at(row, 0, 24)]), row == 3) << row;
  });
}

TEST(AttentionTest, ScratchGrowsWithTokensNotTheirSquare) {
  EXPECT_LT(attention_scratch(16384, 16384, 64, DType::f32), 16384 * 64 * 8);
}

TEST(AttentionMapTest, IsTheSoftmaxOfTheScores) {
  for (const Case& shape : {Case{1, 8}, Case{26, 24}, Case{65, 64, 50}}) {
    const Reference want(shape);
    GuardedMatrix map(shape.tokens, shape.tokens, 5);
    attention_map(sheet(shape, want.q).view(), sheet(shape, want.k).view(), options_of(shape), map.view());
    expect_close(map.values(), want.p, kFp32);
    EXPECT_TRUE(map.intact());
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

}  // namespace
}  // namespace vit::test
