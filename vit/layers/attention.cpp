#include "vit/layers/attention.h"

#include <cmath>

namespace vit {
namespace {

/// Rows of image b and columns of head h in the third of [M, 3D] (or in [M, D] with third 0).
template <class T>
TensorView<T> head_view(TensorView<T> x, const Shard& shard, int64_t b, int64_t third, int64_t h, int64_t width,
                        int64_t head_size) {
  return x.slice(b * shard.tokens, shard.tokens).columns(third * width + h * head_size, head_size);
}

}  // namespace

Attention::Attention(Registry& registry, const std::string& name, const Options& options)
    : width_(options.width),
      heads_(options.heads),
      dropout_site_(options.dropout_site),
      qkv_(registry, name + ".qkv", options.width, 3 * options.width, {.bias = options.qkv_bias, .weight_shape = {}}),
      proj_(registry, name + ".proj", options.width, options.width) {}

void Attention::pack(const ParameterLayout& layout, const ParameterBlock& weights, bool training) {
  qkv_.pack(layout, weights, training);
  proj_.pack(layout, weights, training);
}

Attention::Saved Attention::plan(Arena& arena, const Shard& largest) const {
  return {arena.take<float>({largest.rows(), 3 * width_}), arena.take<float>({largest.rows(), width_}),
          arena.take<float>({largest.images * heads_, largest.tokens})};
}

int64_t Attention::scratch_floats(int64_t tokens) const {
  return attention_scratch(tokens, tokens, width_ / heads_, DType::f32);
}

AttentionOptions Attention::head_options(const Shard& shard, int64_t image, int64_t head) const {
  AttentionOptions options;
  options.scale = 1 / std::sqrt(static_cast<float>(width_ / heads_));
  options.valid_tokens = shard.valid(image);
  const float rate = shard.regularization.attention_dropout;
  // A head is told apart by the image key: heads of one image must not share a mask.
  if (rate > 0) {
    options.dropout = image_mask(shard, image, rate, dropout_site_);
    options.dropout.stream += static_cast<uint64_t>(head);
  }
  return options;
}

template <class Body>
void Attention::for_each_head(const Shard& shard, Body body) const {
  for (int64_t b = 0; b < shard.images; ++b)
    for (int64_t h = 0; h < heads_; ++h) body(b, h);
}

void Attention::attend(const Shard& shard, TensorView<const float> qkv, TensorView<float> heads, float* log_sum_exp,
                       float* kernel_scratch) const {
  const int64_t size = width_ / heads_;
  for_each_head(shard, [&](int64_t b, int64_t h) {
    float* lse = log_sum_exp == nullptr ? nullptr : log_sum_exp + (b * heads_ + h) * shard.tokens;
    attention_forward(head_view(qkv, shard, b, 0, h, width_, size), head_view(qkv, shard, b, 1, h, width_, size),
                      head_view(qkv, shard, b, 2, h, width_, size), head_options(shard, b, h),
                      head_view(heads, shard, b, 0, h, width_, size), lse, kernel_scratch);
  });
}

void Attention::forward_add(TensorView<const float> x, const Shard& shard, const Scratch& scratch,
                            TensorView<float> y) const {
  const TensorView<float> qkv = scratch.qkv.slice(0, shard.rows());
  const TensorView<float> heads = scratch.heads.slice(0, shard.rows());
  qkv_.forward(x, qkv);
  attend(shard, qkv, heads, nullptr, scratch.kernel.data());
  proj_.forward(heads, y, Activation::none, true);
}

void Attention::forward_train(TensorView<const float> x, const Shard& shard, const Saved& saved, const Scratch& scratch,
                              TensorView<float> y) const {
  const TensorView<float> qkv = saved.qkv.slice(0, shard.rows());
  const TensorView<float> heads = saved.heads.slice(0, shard.rows());
  qkv_.forward(x, qkv);
  attend(shard, qkv, heads, saved.log_sum_exp.data(), scratch.kernel.data());
  proj_.forward(heads, y);
  dropout_rows(shard, y, shard.regularization.dropout, dropout_site_ + 1);
}

void Attention::backward(TensorView<float> dy, TensorView<const float> x, const Saved& saved, const Shard& shard,
                         const Gradients& gradients, const Scratch& scratch, TensorView<float> dx) const {
  const TensorView<float> qkv = saved.qkv.slice(0, shard.rows());
  const TensorView<float> heads = saved.heads.slice(0, shard.rows());
  const TensorView<float> dqkv = scratch.qkv.slice(0, shard.rows());
  const TensorView<float> dheads = scratch.heads.slice(0, shard.rows());
  dropout_rows(shard, dy, shard.regularization.dropout, dropout_site_ + 1);
  proj_.backward(dy, heads, shard, gradients, dheads);
  const int64_t size = width_ / heads_;
  for_each_head(shard, [&](int64_t b, int64_t h) {
    const auto part = [&](TensorView<float> m, int64_t third) {
      return head_view(m, shard, b, third, h, width_, size);
    };
    attention_backward(part(dheads, 0), part(qkv, 0), part(qkv, 1), part(qkv, 2), part(heads, 0),
                       saved.log_sum_exp[b * heads_ + h].data(), head_options(shard, b, h),
                       {part(dqkv, 0), part(dqkv, 1), part(dqkv, 2)}, scratch.kernel.data());
  });
  qkv_.backward(dqkv, x, shard, gradients, dx);
}

void Attention::maps(const Shard& shard, const Scratch& scratch, TensorView<float> maps) const {
  const int64_t size = width_ / heads_;
  const TensorView<const float> qkv = scratch.qkv.slice(0, shard.rows());
  for_each_head(shard, [&](int64_t b, int64_t h) {
    attention_map(head_view(qkv, shard, b, 0, h, width_, size), head_view(qkv, shard, b, 1, h, width_, size),
                  head_options(shard, b, h), TensorView<float>(maps[b][h].data(), {shard.tokens, shard.tokens}));
  });
}

}  // namespace vit
