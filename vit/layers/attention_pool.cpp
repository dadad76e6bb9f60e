#include "vit/layers/attention_pool.h"

#include <algorithm>
#include <cmath>

#include "vit/kernels/attention.h"

namespace vit {
namespace {

/// y += x * s
void add_scaled(const float* x, int64_t count, float s, float* y) {
  for (int64_t i = 0; i < count; ++i) y[i] += s * x[i];
}

float dot(const float* x, const float* y, int64_t count) {
  constexpr int64_t kLanes = 16;  // sums side by side, which the compiler can keep in vectors
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int64_t j = 0; j < kLanes; ++j) lanes[j] += x[i + j] * y[i + j];
  float sum = 0;
  for (; i < count; ++i) sum += x[i] * y[i];
  for (float lane : lanes) sum += lane;
  return sum;
}

std::vector<Linear> value_heads(Registry& registry, const Linear& key_value, int64_t width, int64_t heads) {
  std::vector<Linear> values;
  const int64_t size = width / heads;
  for (int64_t h = 0; h < heads; ++h) values.emplace_back(registry, key_value, width + h * size, size);
  return values;
}

}  // namespace

AttentionPool::AttentionPool(Registry& registry, const std::string& name, const Options& o, const MakeNorm& norm)
    : options_(o),
      latent_(registry.parameter(name + ".latent", {1, 1, o.width},
                                 {.draw = Draw::truncated_normal(1 / std::sqrt(static_cast<float>(o.width)))})),
      query_(registry, name + ".q", o.width, o.width),
      key_value_(registry, name + ".kv", o.width, 2 * o.width),
      values_(value_heads(registry, key_value_, o.width, o.heads)),
      proj_(registry, name + ".proj", o.width, o.width),
      norm_(norm(registry, name + ".norm", o.width)),
      mlp_(registry, name + ".mlp",
           {.width = o.width,
            .hidden = o.hidden,
            .activation = o.activation,
            .dropout_site = o.dropout_site,
            .product = false}),
      section_(registry.section()) {}

void AttentionPool::pack(const Packing& packing) {
  training_ = packing.training;
  Packing own = packing;
  own.dtype = DType::f32;
  for (Linear& value : values_) value.pack(own);
  if (packing.training) query_.pack(own);
  proj_.pack(packing);
  norm_->pack(packing);
  mlp_.pack(packing, nullptr);
  ask(packing);
}

/// What the tokens are multiplied by.
void AttentionPool::ask(const Packing& packing) {
  const int64_t width = options_.width, size = head_size();
  const float factor = 1 / std::sqrt(static_cast<float>(size));
  const ParameterValues latent = packing.values(latent_), weight = packing.values(query_.weight()),
                        bias = packing.values(query_.bias()), keys = packing.values(key_value_.weight());
  if (queries_.size() == 0) {
    queries_ = AlignedBuffer<float>(options_.heads * width);
    query_values_ = AlignedBuffer<float>(width);
    latent_values_ = AlignedBuffer<float>(width);
  }
  std::copy_n(latent.data, width, latent_values_.data());
  std::fill_n(queries_.data(), queries_.size(), 0.0f);
  for (int64_t i = 0; i < width; ++i) {
    query_values_[i] = factor * (dot(weight.data + i * width, latent.data, width) + bias.data[i]);
    add_scaled(keys.data + i * width, width, query_values_[i], queries_.data() + i / size * width);
  }
  if (!packing.training) return;
  if (keys_.size() == 0) keys_ = AlignedBuffer<float>(width * width);
  std::copy_n(keys.data, width * width, keys_.data());
}

ConstMatrix AttentionPool::queries() const {
  return TensorView<const float>(queries_.data(), {options_.heads, options_.width});
}

/// The rows of an image that take part.
TensorView<const float> AttentionPool::seen(TensorView<const float> x, const Shard& shard, int64_t image) const {
  const int64_t first = options_.prefix ? 0 : shard.tokens.prefix;
  return x.slice(image * shard.tokens.count() + first, shard.valid(image) - first);
}

double AttentionPool::flops(const Tokens& tokens) const {
  const int64_t keys = options_.prefix ? tokens.count() : tokens.patches();
  return 4.0 * static_cast<double>(options_.heads * keys * options_.width) +
         static_cast<double>(options_.heads) * values_.front().flops(1) + proj_.flops(1) + mlp_.flops(1);
}

State AttentionPool::plan(Arena& arena, const Shard& largest, bool training) const {
  const int64_t images = largest.images, width = options_.width, heads = options_.heads;
  const int64_t tokens = largest.tokens.count();
  Saved saved;
  saved.sums = arena.take<float>({heads * images, width});
  saved.log_sum_exp = arena.take<float>({images, heads});
  saved.head = arena.take<float>({images, head_size()});
  saved.kernel = arena.take<float>({attention_scratch(heads, tokens, width, DType::f32)});
  saved.mixed = arena.take(proj_.type(), images, width);
  saved.pooled = arena.take<float>({images, width});
  saved.norm = norm_->plan(arena, images);
  saved.normed = arena.take(mlp_.input_type(), images, width);
  saved.mlp_scratch = mlp_.plan_scratch(arena, images, training);
  if (!training) return saved;
  saved.mlp = mlp_.plan(arena, images);
  saved.dbranch = arena.take<float>({images, width});
  saved.dnormed = arena.take<float>({images, width});
  saved.dpooled = arena.take(proj_.type(), images, width);
  saved.dmixed = arena.take<float>({images, width});
  saved.dsums = arena.take<float>({heads * images, width});
  saved.dqueries = arena.take<float>({heads, width});
  saved.dasked = arena.take<float>({heads, width});
  saved.dvalues = arena.take<float>({tokens, width});
  saved.dquery = arena.take<float>({1, width});
  saved.dlatent = arena.take<float>({1, width});
  return saved;
}

// ---- forward ----

namespace {

/// Of [H B, D] the rows of one image.
Matrix of_image(TensorView<float> all, int64_t image, int64_t images, int64_t heads) {
  return {all[image].data(), DType::f32, heads, all.cols(), images * all.cols()};
}

}  // namespace

void AttentionPool::attend(TensorView<const float> x, const Shard& shard, const Saved& saved) const {
  const int64_t images = shard.images, size = head_size();
  const ProfileScope profile("attention pool");
  for (int64_t b = 0; b < images; ++b) {
    const TensorView<const float> tokens = seen(x, shard, b);
    attention_forward(queries(), tokens, tokens, {}, of_image(saved.sums, b, images, options_.heads),
                      saved.log_sum_exp[b].data(), saved.kernel.data());
  }
  const TensorView<float> head = saved.head.slice(0, images);
  for (int64_t h = 0; h < options_.heads; ++h) {
    values_[static_cast<std::size_t>(h)].forward(saved.sums.slice(h * images, images), head);
    convert(head, saved.mixed.slice(0, images).columns(h * size, size));
  }
}

void AttentionPool::forward(TensorView<const float> x, const Shard& shard, const State& state,
                            TensorView<float> y) const {
  const auto& saved = state_of<Saved>(state);
  const int64_t images = shard.images;
  const TensorView<float> pooled = saved.pooled.slice(0, images);
  const Matrix normed = saved.normed.slice(0, images);
  attend(x, shard, saved);
  proj_.forward(saved.mixed.slice(0, images), pooled);
  norm_->forward_train(pooled, normed, saved.norm);
  if (training_) {
    mlp_.forward_train(normed, shard.class_tokens(), saved.mlp, y);
    add_to(pooled.data(), pooled.size(), y.data());
  } else {
    std::copy_n(pooled.data(), pooled.size(), y.data());
    mlp_.forward_add(normed, saved.mlp_scratch, y);
  }
}

// ---- backward ----

/// dx, and dasked of the shard, from dmixed through the heads' values and their attention.
void AttentionPool::attend_backward(TensorView<const float> x, const Shard& shard, const Saved& saved,
                                    TensorView<float> dx) const {
  const int64_t images = shard.images, heads = options_.heads;
  std::fill_n(dx.data(), dx.size(), 0.0f);
  std::fill_n(saved.dasked.data(), saved.dasked.size(), 0.0f);
  for (int64_t b = 0; b < images; ++b) {
    const TensorView<const float> tokens = seen(x, shard, b);
    const TensorView<float> dtokens = dx.slice((tokens.data() - x.data()) / options_.width, tokens.rows());
    const TensorView<float> dvalues = saved.dvalues.slice(0, tokens.rows());
    attention_backward(of_image(saved.dsums, b, images, heads), queries(), tokens, tokens,
                       of_image(saved.sums, b, images, heads), saved.log_sum_exp[b].data(), {},
                       {saved.dqueries, dtokens, dvalues}, saved.kernel.data());
    add_to(dvalues.data(), dvalues.size(), dtokens.data());
    add_to(saved.dqueries.data(), saved.dqueries.size(), saved.dasked.data());
  }
}

/// Gradients of the keys' weights, the query's Linear and the latent from dasked. A bias of the keys has none.
void AttentionPool::ask_backward(const Saved& saved, const Shard& shard, const Gradients& gradients) const {
  const int64_t width = options_.width, size = head_size();
  const float factor = 1 / std::sqrt(static_cast<float>(size));
  const TensorView<const float> latent(latent_values_.data(), {1, width});
  for (int64_t i = 0; i < width; ++i)
    saved.dquery(0, i) = factor * dot(keys_.data() + i * width, saved.dasked[i / size].data(), width);
  query_.backward(saved.dquery, latent, shard, gradients, saved.dlatent);
  gradients.in_turn(section_, shard, [&] {
    float* dkeys = gradients.at(key_value_.weight());
    for (int64_t i = 0; i < width; ++i)
      add_scaled(saved.dasked[i / size].data(), width, query_values_[i], dkeys + i * width);
    add_to(saved.dlatent.data(), width, gradients.at(latent_));
  });
}

void AttentionPool::backward(TensorView<float> dy, TensorView<const float> x, const State& state, const Shard& shard,
                             const Gradients& gradients, TensorView<float> dx) const {
  const auto& saved = state_of<Saved>(state);
  const int64_t images = shard.images, size = head_size();
  const TensorView<float> dbranch = saved.dbranch.slice(0, images), dnormed = saved.dnormed.slice(0, images);
  std::copy_n(dy.data(), dy.size(), dbranch.data());
  mlp_.backward(dbranch, saved.normed.slice(0, images), saved.mlp, shard.class_tokens(), gradients, saved.mlp_scratch,
                dnormed);
  norm_->backward(dnormed, saved.pooled.slice(0, images), saved.norm, shard, gradients, dy, dy);
  const TensorView<float> dmixed = saved.dmixed.slice(0, images), head = saved.head.slice(0, images);
  proj_.backward(for_product(dy, saved.dpooled), saved.mixed.slice(0, images), shard, gradients, dmixed);
  for (int64_t h = 0; h < options_.heads; ++h) {
    convert(dmixed.columns(h * size, size), head);
    values_[static_cast<std::size_t>(h)].backward(head, saved.sums.slice(h * images, images), shard, gradients,
                                                  saved.dsums.slice(h * images, images));
  }
  attend_backward(x, shard, saved, dx);
  ask_backward(saved, shard, gradients);
}

}  // namespace vit
