// The layers in double, written plainly from their definitions: what the fp32 layers are compared with.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <numbers>
#include <string>
#include <vector>

#include "vit/kernels/gemm.h"

namespace vit::test {

/// Row-major matrix of doubles.
struct Matrix {
  int64_t rows = 0;
  int64_t cols = 0;
  std::vector<double> v;

  Matrix() = default;
  Matrix(int64_t r, int64_t c) : rows(r), cols(c), v(static_cast<std::size_t>(r * c)) {}
  double& operator()(int64_t r, int64_t c) { return v[static_cast<std::size_t>(r * cols + c)]; }
  double operator()(int64_t r, int64_t c) const { return v[static_cast<std::size_t>(r * cols + c)]; }
};

/// Parameters by name, flat.
using Weights = std::map<std::string, std::vector<double>>;

inline Matrix linear(const Matrix& x, const Weights& w, const std::string& name) {
  const std::vector<double>& weight = w.at(name + ".weight");
  const auto out = static_cast<int64_t>(weight.size()) / x.cols;
  const auto bias = w.find(name + ".bias");
  Matrix y(x.rows, out);
  for (int64_t r = 0; r < x.rows; ++r)
    for (int64_t o = 0; o < out; ++o) {
      double sum = bias == w.end() ? 0 : bias->second[static_cast<std::size_t>(o)];
      for (int64_t i = 0; i < x.cols; ++i) sum += x(r, i) * weight[static_cast<std::size_t>(o * x.cols + i)];
      y(r, o) = sum;
    }
  return y;
}

inline Matrix layernorm(const Matrix& x, const Weights& w, const std::string& name, double eps) {
  Matrix y(x.rows, x.cols);
  for (int64_t r = 0; r < x.rows; ++r) {
    double mean = 0, var = 0;
    for (int64_t c = 0; c < x.cols; ++c) mean += x(r, c) / static_cast<double>(x.cols);
    for (int64_t c = 0; c < x.cols; ++c) var += (x(r, c) - mean) * (x(r, c) - mean) / static_cast<double>(x.cols);
    for (int64_t c = 0; c < x.cols; ++c) {
      const auto i = static_cast<std::size_t>(c);
      y(r, c) = (x(r, c) - mean) / std::sqrt(var + eps) * w.at(name + ".weight")[i] + w.at(name + ".bias")[i];
    }
  }
  return y;
}

inline double gelu(double x, Activation kind) {
  if (kind == Activation::quick_gelu) return x / (1 + std::exp(-1.702 * x));
  if (kind == Activation::gelu_erf) return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2));
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

/// qkv, scaled dot products over the valid keys of each image, projection; x [B*N, D].
inline Matrix attention(const Matrix& x, const Weights& w, const std::string& name, int64_t tokens, int64_t heads,
                        const std::vector<int32_t>& valid) {
  const int64_t width = x.cols, size = width / heads;
  const Matrix qkv = linear(x, w, name + ".qkv");
  Matrix joined(x.rows, width);
  for (int64_t b = 0; b < x.rows / tokens; ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t q = 0; q < tokens; ++q) {
        const int64_t keys = valid.empty() ? tokens : valid[static_cast<std::size_t>(b)];
        std::vector<double> p(static_cast<std::size_t>(keys));
        double sum = 0;
        for (int64_t k = 0; k < keys; ++k) {
          double dot = 0;
          for (int64_t i = 0; i < size; ++i)
            dot += qkv(b * tokens + q, h * size + i) * qkv(b * tokens + k, width + h * size + i);
          sum += p[static_cast<std::size_t>(k)] = std::exp(dot / std::sqrt(static_cast<double>(size)));
        }
        for (int64_t k = 0; k < keys; ++k)
          for (int64_t i = 0; i < size; ++i)
            joined(b * tokens + q, h * size + i) +=
                p[static_cast<std::size_t>(k)] / sum * qkv(b * tokens + k, 2 * width + h * size + i);
      }
  return linear(joined, w, name + ".proj");
}

inline Matrix mlp(const Matrix& x, const Weights& w, const std::string& name, Activation activation) {
  Matrix hidden = linear(x, w, name + ".fc1");
  for (double& h : hidden.v) h = gelu(h, activation);
  return linear(hidden, w, name + ".fc2");
}

/// x + gamma * branch; gamma is absent without layer scale.
inline Matrix residual(const Matrix& x, Matrix branch, const Weights& w, const std::string& name) {
  const auto gamma = w.find(name + ".gamma");
  for (int64_t r = 0; r < x.rows; ++r)
    for (int64_t c = 0; c < x.cols; ++c)
      branch(r, c) = x(r, c) + branch(r, c) * (gamma == w.end() ? 1 : gamma->second[static_cast<std::size_t>(c)]);
  return branch;
}

struct BlockShape {
  int64_t tokens = 0;
  int64_t heads = 0;
  double eps = 1e-6;
  Activation activation = Activation::gelu_erf;
  std::vector<int32_t> valid;
};

inline Matrix block(const Matrix& x, const Weights& w, const std::string& name, const BlockShape& s) {
  const Matrix a = attention(layernorm(x, w, name + ".norm1", s.eps), w, name + ".attn", s.tokens, s.heads, s.valid);
  const Matrix middle = residual(x, a, w, name + ".ls1");
  return residual(middle, mlp(layernorm(middle, w, name + ".norm2", s.eps), w, name + ".mlp", s.activation), w,
                  name + ".ls2");
}

/// Class token (where there is one) in front of the projected patches, plus the learned table.
inline Matrix patch_embed(const Matrix& patches, const Weights& w, int64_t images) {
  const Matrix projected = linear(patches, w, "patch_embed.proj");
  const int64_t count = patches.rows / images, width = projected.cols;
  const auto cls = w.find("cls_token");
  const int64_t prefix = cls == w.end() ? 0 : 1;
  Matrix x(images * (count + prefix), width);
  for (int64_t b = 0; b < images; ++b)
    for (int64_t t = 0; t < count + prefix; ++t)
      for (int64_t c = 0; c < width; ++c)
        x(b * (count + prefix) + t, c) =
            w.at("pos_embed")[static_cast<std::size_t>(t * width + c)] +
            (t < prefix ? cls->second[static_cast<std::size_t>(c)] : projected(b * count + t - prefix, c));
  return x;
}

/// Pooling over the valid tokens, norm, Linear.
inline Matrix head(const Matrix& x, const Weights& w, int64_t tokens, bool mean, bool class_token,
                   const std::vector<int32_t>& valid) {
  const int64_t images = x.rows / tokens;
  Matrix pooled(images, x.cols);
  for (int64_t b = 0; b < images; ++b) {
    const int64_t first = mean && class_token ? 1 : 0;
    const int64_t end = !mean ? 1 : valid.empty() ? tokens : valid[static_cast<std::size_t>(b)];
    for (int64_t t = first; t < end; ++t)
      for (int64_t c = 0; c < x.cols; ++c) pooled(b, c) += x(b * tokens + t, c) / static_cast<double>(end - first);
  }
  return linear(layernorm(pooled, w, mean ? "fc_norm" : "norm", 1e-6), w, "head");
}

}  // namespace vit::test
