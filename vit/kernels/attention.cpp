#include "vit/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "vit/kernels/attention_bf16.h"
#include "vit/kernels/attention_fp32.h"
#include "vit/kernels/attention_plan.h"
#include "vit/kernels/isa.h"

namespace vit {
namespace {

void check(const char* what, const ConstMatrix& m, int64_t rows, int64_t cols, DType type) {
  if (m.rows() != rows || m.cols() != cols)
    fail(ErrorKind::internal, "[attention: ", what, "] needs [", rows, ", ", cols, "], has [", m.rows(), ", ", m.cols(),
         "]");
  if (m.type() != type)
    fail(ErrorKind::internal, "[attention: ", what, "] needs ", dtype_name(type), ", has ", dtype_name(m.type()));
}

/// The shape of a call, from q and k.
struct Shape {
  int64_t queries, keys, head_size;
  DType type;

  Shape(const ConstMatrix& q, const ConstMatrix& k)
      : queries(q.rows()), keys(k.rows()), head_size(q.cols()), type(q.type()) {
    if (type != DType::f32 && type != DType::bf16)
      fail(ErrorKind::internal, "[attention: q] needs fp32 or bf16, has ", dtype_name(type));
    check_keys("k", k);
  }
  void check_queries(const char* what, const ConstMatrix& m) const { check(what, m, queries, head_size, type); }
  void check_keys(const char* what, const ConstMatrix& m) const { check(what, m, keys, head_size, type); }
  /// A matrix over the scores; null is none.
  void check_scores(const char* what, const ConstMatrix& m) const {
    if (m) check(what, m, queries, keys, DType::f32);
  }
};

/// Dropout is left to the fp32 kernel: a mask costs more than the products save.
bool in_bf16(const Shape& shape, const AttentionOptions& options) {
  return shape.type == DType::bf16 && options.dropout.rate <= 0 && avx512_bf16_runs();
}

void fill_zero(const Matrix& m) {
  for (int64_t r = 0; r < m.rows(); ++r)
    std::memset(m.slice(r, 1).data(), 0, static_cast<std::size_t>(m.cols() * dtype_bytes(m.type())));
}

template <class T>
float element(const ConstMatrix& m, int64_t row, int64_t col) {
  const T x = static_cast<const T*>(m.data())[row * m.stride() + col];
  if constexpr (std::is_same_v<T, float>)
    return x;
  else
    return to_float(x);
}

template <class T>
void map_of(const ConstMatrix& q, const ConstMatrix& k, int64_t keys, const AttentionOptions& options,
            TensorView<float> p) {
  for (int64_t i = 0; i < q.rows(); ++i) {
    float* row = p[i].data();
    for (int64_t j = 0; j < keys; ++j) {
      float score = 0;
      for (int64_t c = 0; c < q.cols(); ++c) score += element<T>(q, i, c) * element<T>(k, j, c);
      row[j] = options.scale * score;
      if (options.bias) row[j] += options.bias(i, j);
    }
    const float top = *std::max_element(row, row + keys);
    float sum = 0;
    for (int64_t j = 0; j < keys; ++j) sum += row[j] = std::exp(row[j] - top);
    for (int64_t j = 0; j < keys; ++j) row[j] /= sum;
    std::fill(row + keys, row + k.rows(), 0.0f);
  }
}

}  // namespace

int64_t attention_scratch(int64_t queries, int64_t keys, int64_t head_size, DType type) {
  const int64_t fp32 = attention_scratch_fp32(queries, keys, head_size, type);
  return type == DType::bf16 ? std::max(fp32, attention_scratch_bf16(queries, keys, head_size)) : fp32;
}

void attention_forward(ConstMatrix q, ConstMatrix k, ConstMatrix v, const AttentionOptions& options, Matrix out,
                       float* log_sum_exp, float* scratch) {
  const Shape shape(q, k);
  shape.check_keys("v", v);
  check("out", out, shape.queries, shape.head_size, out.type() == DType::i8 ? DType::i8 : shape.type);
  shape.check_scores("bias", options.bias);
  valid_keys(shape.keys, options);
  if (shape.queries == 0) return;
  const auto forward = in_bf16(shape, options) ? attention_forward_bf16 : attention_forward_fp32;
  forward(q, k, v, options, out, log_sum_exp, scratch);
}

void attention_backward(ConstMatrix dout, ConstMatrix q, ConstMatrix k, ConstMatrix v, ConstMatrix out,
                        const float* log_sum_exp, const AttentionOptions& options, const AttentionGradients& gradients,
                        float* scratch) {
  const Shape shape(q, k);
  shape.check_queries("dout", dout);
  shape.check_keys("v", v);
  shape.check_queries("out", out);
  shape.check_queries("dq", gradients.dq);
  shape.check_keys("dk", gradients.dk);
  shape.check_keys("dv", gradients.dv);
  shape.check_scores("bias", options.bias);
  shape.check_scores("dbias", gradients.dbias);
  if (gradients.dbias && options.scale == 0)
    fail(ErrorKind::internal, "[attention: scale] needs another number than 0 for the gradient of the bias");
  // Masked keys have no gradient; without queries, none has.
  const int64_t valid = valid_keys(shape.keys, options), reached = shape.queries == 0 ? 0 : valid;
  fill_zero(gradients.dk.slice(reached, shape.keys - reached));
  fill_zero(gradients.dv.slice(reached, shape.keys - reached));
  if (shape.queries == 0) return;
  const auto backward = in_bf16(shape, options) ? attention_backward_bf16 : attention_backward_fp32;
  backward(dout, q, k, v, out, log_sum_exp, options, gradients, scratch);
}

void attention_map(ConstMatrix q, ConstMatrix k, const AttentionOptions& options, TensorView<float> p) {
  const Shape shape(q, k);
  check("p", p, shape.queries, shape.keys, DType::f32);
  shape.check_scores("bias", options.bias);
  const int64_t keys = valid_keys(shape.keys, options);
  if (shape.type == DType::bf16)
    map_of<BFloat16>(q, k, keys, options, p);
  else
    map_of<float>(q, k, keys, options, p);
}

}  // namespace vit
