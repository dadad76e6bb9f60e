#include "vit/layers/attention.h"

#include <array>
#include <cmath>

namespace vit {

Attention::Attention(Registry& registry, const std::string& name, const Options& options)
    : options_(options),
      head_size_(options.width / options.heads),
      qkv_(registry, name + ".qkv", options.width, 3 * options.width, {.bias = options.qkv_bias}),
      proj_(registry, name + ".proj", options.width, options.width) {
  if (!options.class_row) return;
  query_.emplace(registry, qkv_, 0, options.width);
  key_value_.emplace(registry, qkv_, options.width, 2 * options.width);
}

void Attention::pack(const Packing& packing, const float* output_scale) {
  if (options_.class_row) {
    query_->pack(packing);
    key_value_->pack(packing);
  } else {
    qkv_.pack(packing);
  }
  proj_.pack(packing, output_scale);
}

Matrix Attention::plan_qkv(Arena& arena, int64_t rows) const {
  return arena.take(between_products(input().type()), rows, 3 * options_.width);
}

Attention::Saved Attention::plan(Arena& arena, const Shard& in, const Shard& out) const {
  return {plan_qkv(arena, in.rows()), arena.take(proj_.type(), out.rows(), options_.width),
          arena.take<float>({out.images * options_.heads, out.own()})};
}

Attention::Scratch Attention::plan_scratch(Arena& arena, const Shard& in, const Shard& out, bool training) const {
  const DType type = between_products(input().type());
  Scratch scratch;
  scratch.asking = arena.take(type, in.images, options_.width);
  scratch.heads = arena.take(type, out.rows(), options_.width);
  scratch.kernel = arena.take<float>({attention_scratch(out.own(), in.tokens, head_size_, type)});
  if (!training) return scratch;
  scratch.dqkv = plan_qkv(arena, in.rows());
  scratch.dy = arena.take(type, out.rows(), options_.width);
  scratch.dasking = arena.take<float>({in.images, options_.width});
  return scratch;
}

AttentionOptions Attention::head_options(const Shard& shard, int64_t image, int64_t head) const {
  AttentionOptions options;
  options.scale = 1 / std::sqrt(static_cast<float>(head_size_));
  options.valid_tokens = shard.valid(image);
  options.first_query = shard.first_token;
  options.out_scale = 1 / proj_.input_scale();
  const float rate = shard.regularization.attention_dropout;
  // A head is told apart by the image key: heads of one image must not share a mask.
  if (rate > 0) {
    options.dropout = image_mask(shard, image, rate, options_.dropout_site);
    options.dropout.stream += static_cast<uint64_t>(head);
  }
  return options;
}

template <class Body>
void Attention::for_each_head(const Shard& shard, Body body) const {
  for (int64_t b = 0; b < shard.images; ++b)
    for (int64_t h = 0; h < options_.heads; ++h) body(b, h);
}

/// The matrices used(b, h) of the head after this one.
template <class Used>
LookAhead Attention::look_ahead(const Shard& shard, int64_t b, int64_t h, Used used) const {
  LookAhead ahead;
  const int64_t next = b * options_.heads + h + 1;
  if (next < shard.images * options_.heads)
    for (const ConstMatrix& m : used(next / options_.heads, next % options_.heads)) ahead.add(m);
  return ahead;
}

// ---- where things lie in a qkv ----

template <class M>
M Attention::key_values(M qkv) const {
  return {qkv.data(), qkv.type(), qkv.rows(), 2 * options_.width, 2 * options_.width};
}

/// Of the class tokens: as many rows as there is room for behind the keys and values.
template <class M>
M Attention::queries(M qkv) const {
  const M behind = M(qkv.data(), qkv.type(), 3 * qkv.rows(), options_.width, options_.width);
  return behind.slice(2 * qkv.rows(), qkv.rows());
}

template <class M>
M Attention::head(M qkv, int64_t row, int64_t count, int64_t third, int64_t h) const {
  const int64_t width = options_.width;
  if (!options_.class_row) return qkv.slice(row, count).columns(third * width + h * head_size_, head_size_);
  const M part = third == 0 ? queries(qkv) : key_values(qkv).columns((third - 1) * width, width);
  return part.slice(row, count).columns(h * head_size_, head_size_);
}

void Attention::project(ConstMatrix x, int64_t first, const Shard& in, Matrix qkv, const Scratch& scratch) const {
  if (!options_.class_row) return qkv_.forward(x, qkv.slice(first, x.rows()));
  key_value_->forward(x, key_values(qkv).slice(first, x.rows()));
  if (in.first_token > 0) return;
  const ConstMatrix asking = x.every(in.own());
  const Matrix dense = scratch.asking.slice(0, asking.rows()).as(x.type());
  convert(asking, dense);
  query_->forward(dense, queries(qkv).slice(first / in.own(), asking.rows()));
}

void Attention::attend(ConstMatrix qkv, const Shard& out, Matrix heads, float* log_sum_exp,
                       float* kernel_scratch) const {
  const ProfileScope profile("attention", attention_flops(out));
  const int64_t own = out.own();
  const auto read = [&](int64_t b, int64_t h) -> std::array<ConstMatrix, 3> {
    const int64_t image = b * out.tokens, query = options_.class_row ? b : image + out.first_token;
    return {head(qkv, query, own, 0, h), head(qkv, image, out.tokens, 1, h), head(qkv, image, out.tokens, 2, h)};
  };
  for_each_head(out, [&](int64_t b, int64_t h) {
    const auto [q, k, v] = read(b, h);
    LookAhead ahead = look_ahead(out, b, h, read);
    AttentionOptions options = head_options(out, b, h);
    options.ahead = &ahead;
    float* lse = log_sum_exp == nullptr ? nullptr : log_sum_exp + (b * options_.heads + h) * own;
    attention_forward(q, k, v, options, heads.slice(b * own, own).columns(h * head_size_, head_size_), lse,
                      kernel_scratch);
  });
}

Matrix Attention::attend(ConstMatrix qkv, const Shard& out, const Scratch& scratch) const {
  const Matrix heads = scratch.heads.slice(0, out.rows()).as(proj_.type());
  attend(qkv, out, heads, nullptr, scratch.kernel.data());
  return heads;
}

void Attention::recompute(ConstMatrix x, const Shard& in, const Shard& out, const Saved& saved,
                          const Scratch& scratch) const {
  const Matrix qkv = saved.qkv.slice(0, in.rows());
  project(x, 0, in, qkv, scratch);
  attend(qkv, out, saved.heads.slice(0, out.rows()), saved.log_sum_exp.data(), scratch.kernel.data());
}

void Attention::forward_train(ConstMatrix x, const Shard& in, const Shard& out, const Saved& saved,
                              const Scratch& scratch, TensorView<float> y) const {
  recompute(x, in, out, saved, scratch);
  proj_.forward(saved.heads.slice(0, out.rows()), y);
  dropout_rows(out, y, out.regularization.dropout, options_.dropout_site + 1);
}

void Attention::attend_backward(ConstMatrix qkv, ConstMatrix heads, ConstMatrix dheads, const float* log_sum_exp,
                                const Shard& in, const Shard& out, Matrix dqkv, float* kernel_scratch) const {
  const ProfileScope profile("attention backward", 2.5 * attention_flops(out));
  const int64_t own = out.own();
  const auto part = [&](auto m, int64_t b, int64_t h, int64_t third) {
    const int64_t image = b * in.tokens;
    if (third > 0) return head(m, image, in.tokens, third, h);
    return head(m, options_.class_row ? b : image, own, 0, h);
  };
  const auto used = [&](int64_t b, int64_t h) -> std::array<ConstMatrix, 8> {
    const auto of_head = [&](ConstMatrix m) { return m.slice(b * own, own).columns(h * head_size_, head_size_); };
    return {of_head(dheads), part(qkv, b, h, 0),  part(qkv, b, h, 1),  part(qkv, b, h, 2),
            of_head(heads),  part(dqkv, b, h, 0), part(dqkv, b, h, 1), part(dqkv, b, h, 2)};
  };
  for_each_head(out, [&](int64_t b, int64_t h) {
    const auto& [dout, q, k, v, of_forward, dq, dk, dv] = used(b, h);
    LookAhead ahead = look_ahead(out, b, h, used);
    AttentionOptions options = head_options(out, b, h);
    options.ahead = &ahead;
    attention_backward(dout, q, k, v, of_forward, log_sum_exp + (b * options_.heads + h) * own, options,
                       {part(dqkv, b, h, 0), part(dqkv, b, h, 1), part(dqkv, b, h, 2)}, kernel_scratch);
  });
}

void Attention::backward(TensorView<float> dy, ConstMatrix x, const Saved& saved, const Shard& in, const Shard& out,
                         const Gradients& gradients, const Scratch& scratch, TensorView<float> dx) const {
  const Matrix qkv = saved.qkv.slice(0, in.rows());
  const Matrix heads = saved.heads.slice(0, out.rows());
  const Matrix dqkv = scratch.dqkv.slice(0, in.rows());
  const Matrix dheads = scratch.heads.slice(0, out.rows());
  dropout_rows(out, dy, out.regularization.dropout, options_.dropout_site + 1);
  proj_.backward(for_product(dy, scratch.dy), heads, out, gradients, dheads);
  attend_backward(qkv, heads, dheads, saved.log_sum_exp.data(), in, out, dqkv, scratch.kernel.data());
  if (!options_.class_row) return qkv_.backward(dqkv, x, in, gradients, dx);
  key_value_->backward(key_values(dqkv), x, in, gradients, dx);
  const Matrix asking = scratch.asking.slice(0, in.images);
  const TensorView<float> dasking = scratch.dasking.slice(0, in.images);
  convert(x.every(in.tokens), asking);
  query_->backward(queries(dqkv).slice(0, in.images), asking, in, gradients, dasking);
  for (int64_t b = 0; b < in.images; ++b) add_to(dasking[b].data(), options_.width, dx[b * in.tokens].data());
}

void Attention::maps(const Shard& shard, ConstMatrix qkv, TensorView<float> maps) const {
  if (options_.class_row) fail(ErrorKind::internal, "[attention] maps need the queries of all tokens");
  const int64_t tokens = shard.tokens;
  for_each_head(shard, [&](int64_t b, int64_t h) {
    attention_map(head(qkv, b * tokens, tokens, 0, h), head(qkv, b * tokens, tokens, 1, h), head_options(shard, b, h),
                  TensorView<float>(maps[b][h].data(), {tokens, tokens}));
  });
}

}  // namespace vit
