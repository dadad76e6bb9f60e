// Attention in double, written plainly from its definition, and the kernels' answers to the same inputs.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "tests/support/guarded_matrix.h"
#include "tests/support/tolerance.h"
#include "vit/core/rng.h"
#include "vit/kernels/attention.h"

namespace vit::test::attention {

struct Case {
  int64_t tokens, head_size;
  int64_t valid = -1;
  float rate = 0;
  float amplitude = 1;  // of the scores
  DType type = DType::f32;
  int64_t first_query = 0, query_count = -1;  // of the tokens; -1 = all
  bool bias = false;

  int64_t keys() const { return valid < 0 ? tokens : valid; }
  int64_t queries() const { return query_count < 0 ? tokens : query_count; }
  double scale() const { return static_cast<double>(amplitude) / std::sqrt(static_cast<double>(head_size)); }
};

inline std::string name_of(const testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  std::string name = concat("N", c.tokens, "_K", c.head_size);
  if (c.valid >= 0) name += concat("_valid", c.valid);
  if (c.rate > 0) name += concat("_drop", std::lround(c.rate * 1000), "permille");
  if (c.amplitude > 1) name += concat("_amplitude", c.amplitude);
  if (c.query_count >= 0) name += concat("_queries", c.first_query, "to", c.first_query + c.query_count);
  if (c.bias) name += "_bias";
  if (c.type != DType::f32) name += concat("_", dtype_name(c.type));
  return name;
}

using Doubles = std::vector<double>;

inline std::size_t at(int64_t row, int64_t col, int64_t cols) { return static_cast<std::size_t>(row * cols + col); }

/// Numbers that are exact in the type.
inline Doubles random_matrix(int64_t rows, int64_t cols, uint64_t stream, DType type) {
  RandomStream random(7, RandomPurpose::test, stream);
  Doubles m(static_cast<std::size_t>(rows * cols));
  for (double& x : m) {
    const float value = random.normal();
    x = static_cast<double>(type == DType::bf16 ? to_float(to_bf16(value)) : value);
  }
  return m;
}

/// Attention written down from its definition, in double.
struct Reference {
  Case shape;
  Doubles q, k, v, dout;
  Doubles bias;  // [Nq, N], zeros where there is none
  Doubles mask;  // [Nq, N], 0 or 1 / (1 - rate)
  Doubles p, out, log_sum_exp;
  Doubles dq, dk, dv, dbias;

  explicit Reference(const Case& c)
      : shape(c),
        q(random_matrix(c.queries(), c.head_size, 1, c.type)),
        k(random_matrix(c.tokens, c.head_size, 2, c.type)),
        v(random_matrix(c.tokens, c.head_size, 3, c.type)),
        dout(random_matrix(c.queries(), c.head_size, 4, c.type)),
        bias(random_matrix(c.queries(), c.tokens, 5, DType::f32)),
        mask(draw_mask(c)) {
    for (double& x : bias) x *= c.bias ? 2 : 0;
    forward();
  }

  static DropoutMask dropout(const Case& c) { return {c.rate, 0x1122334455667788, 0x99aabbccddeeff00}; }

  static Doubles draw_mask(const Case& c) {
    const DropoutMask mask = dropout(c);
    const auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
    const auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
    Doubles m;
    for (int64_t query = c.first_query; query < c.first_query + c.queries(); ++query)
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
    const int64_t n = shape.tokens, queries = shape.queries(), size = shape.head_size, keys = shape.keys();
    p.assign(static_cast<std::size_t>(queries * n), 0);
    out.assign(static_cast<std::size_t>(queries * size), 0);
    log_sum_exp.assign(static_cast<std::size_t>(queries), 0);
    for (int64_t i = 0; i < queries; ++i) {
      Doubles score(static_cast<std::size_t>(keys));
      for (int64_t j = 0; j < keys; ++j) {
        double dot = 0;
        for (int64_t c = 0; c < size; ++c) dot += q[at(i, c, size)] * k[at(j, c, size)];
        score[at(0, j, 0)] = shape.scale() * dot + bias[at(i, j, n)];
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
    const int64_t n = shape.tokens, queries = shape.queries(), size = shape.head_size, keys = shape.keys();
    dq.assign(static_cast<std::size_t>(queries * size), 0);
    for (Doubles* m : {&dk, &dv}) m->assign(static_cast<std::size_t>(n * size), 0);
    dbias.assign(bias.size(), 0);
    for (int64_t i = 0; i < queries; ++i) {
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
        const double dsum = dbias[at(i, j, n)] = p[at(i, j, n)] * (dp[at(0, j, 0)] - mean);
        const double dscore = shape.scale() * dsum;
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
template <class T>
Guarded<T> sheet(int64_t rows, const Case& shape) {
  return Guarded<T>(rows, shape.head_size, 2 * shape.head_size + 3);
}

template <class T>
Guarded<T> sheet(const Case& shape, const Doubles& from) {
  Guarded<T> m = sheet<T>(static_cast<int64_t>(from.size()) / shape.head_size, shape);
  for (int64_t r = 0; r < m.rows(); ++r)
    for (int64_t c = 0; c < m.cols(); ++c) test::assign(m(r, c), static_cast<float>(from[at(r, c, m.cols())]));
  return m;
}

inline AttentionOptions options_of(const Case& shape) {
  AttentionOptions options;
  options.scale = static_cast<float>(shape.scale());
  options.valid_tokens = shape.valid;
  options.first_query = shape.first_query;
  options.dropout = Reference::dropout(shape);
  return options;
}

inline GuardedMatrix scratch_for(const Case& c) {
  return GuardedMatrix(1, attention_scratch(c.queries(), c.tokens, c.head_size, c.type));
}

/// A matrix over the scores.
inline GuardedMatrix score_sheet(const Case& shape, const Doubles& from) {
  GuardedMatrix m(shape.queries(), shape.tokens, 3);
  for (int64_t r = 0; r < m.rows(); ++r)
    for (int64_t c = 0; c < m.cols(); ++c) m(r, c) = static_cast<float>(from[at(r, c, m.cols())]);
  return m;
}

/// The kernels' answers for the inputs of a reference.
struct Answer {
  static constexpr float kBefore = 3;  // what dbias is added to
  std::vector<float> out, log_sum_exp, dq, dk, dv;
  std::vector<float> dbias;  // empty without a bias
  bool intact = false;       // nothing was written beside the results

  explicit Answer(const Reference& r) {
    if (r.shape.type == DType::bf16)
      compute<BFloat16>(r);
    else
      compute<float>(r);
  }

 private:
  template <class T>
  void compute(const Reference& r) {
    const Case& c = r.shape;
    const auto q_in = sheet<T>(c, r.q), k_in = sheet<T>(c, r.k), v_in = sheet<T>(c, r.v);
    const auto dout_in = sheet<T>(c, r.dout);
    auto result = sheet<T>(c.queries(), c), dq_out = sheet<T>(c.queries(), c);
    auto dk_out = sheet<T>(c.tokens, c), dv_out = sheet<T>(c.tokens, c);
    GuardedMatrix lse(1, c.queries()), scratch = scratch_for(c);
    const GuardedMatrix bias = score_sheet(c, r.bias);
    GuardedMatrix dbias_out(c.queries(), c.tokens, 5);
    dbias_out.fill(kBefore);
    AttentionOptions options = options_of(c);
    if (c.bias) options.bias = bias.view();
    attention_forward(q_in.view(), k_in.view(), v_in.view(), options, result.view(), lse.data(), scratch.data());
    // Backward needs nothing that forward left in the scratch.
    scratch.fill(std::nanf(""));
    attention_backward(dout_in.view(), q_in.view(), k_in.view(), v_in.view(), result.view(), lse.data(), options,
                       {dq_out.view(), dk_out.view(), dv_out.view(), c.bias ? dbias_out.view() : TensorView<float>()},
                       scratch.data());
    out = result.values();
    log_sum_exp = lse.values();
    dq = dq_out.values();
    dk = dk_out.values();
    dv = dv_out.values();
    if (c.bias) dbias = dbias_out.values();
    intact = result.intact() && lse.intact() && scratch.intact() && dq_out.intact() && dk_out.intact() &&
             dv_out.intact() && dbias_out.intact();
  }
};

/// Nothing beside the results was written to, and they are those of the definition, but for dbias. `within` gives the
/// limits of what has the case's type from those of fp32.
template <class Within>
void expect_definition(const Answer& got, const Reference& want, Within within) {
  EXPECT_TRUE(got.intact);
  expect_close(got.out, want.out, within(kFp32));
  expect_close(got.log_sum_exp, want.log_sum_exp, kFp32);
  expect_close(got.dq, want.dq, within(kFp32Gradient));
  expect_close(got.dk, want.dk, within(kFp32Gradient));
  expect_close(got.dv, want.dv, within(kFp32Gradient));
}

}  // namespace vit::test::attention
