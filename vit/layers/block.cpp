#include "vit/layers/block.h"

#include <algorithm>

namespace vit {
namespace {

// Sites of one block: attention probabilities, projection, fc1, fc2, and the two branches.
constexpr int kSites = 6;
int site(const Block::Options& o, int which) { return static_cast<int>(o.index) * kSites + which; }

Residual::Options residual_options(const Block::Options& o, int which) {
  const float share = o.depth > 1 ? static_cast<float>(o.index) / static_cast<float>(o.depth - 1) : 1.0f;
  return {.width = o.width, .layer_scale = o.layer_scale, .drop_path_share = share, .drop_path_site = site(o, which)};
}

}  // namespace

Block::Block(Registry& registry, const std::string& name, const Options& o)
    : options_(o),
      norm1_(registry, name + ".norm1", o.width, o.eps),
      attention_(registry, name + ".attn",
                 {.width = o.width, .heads = o.heads, .qkv_bias = o.qkv_bias, .dropout_site = site(o, 0)}),
      residual1_(registry, name + ".ls1", residual_options(o, 4)),
      norm2_(registry, name + ".norm2", o.width, o.eps),
      mlp_(registry, name + ".mlp",
           {.width = o.width, .hidden = o.mlp_width, .activation = o.activation, .dropout_site = site(o, 2)}),
      residual2_(registry, name + ".ls2", residual_options(o, 5)) {}

void Block::pack(const ParameterLayout& layout, const ParameterBlock& weights, bool training) {
  norm1_.pack(layout, weights);
  attention_.pack(layout, weights, training);
  residual1_.pack(layout, weights);
  norm2_.pack(layout, weights);
  mlp_.pack(layout, weights, training);
  residual2_.pack(layout, weights);
}

Block::Saved Block::plan(Arena& arena, const Shard& largest) const {
  const int64_t rows = largest.rows();
  const auto stream = [&] { return arena.take<float>({rows, options_.width}); };
  Saved saved;
  saved.norm1 = LayerNorm::plan(arena, rows);
  saved.normed1 = stream();
  saved.attention = attention_.plan(arena, largest);
  saved.residual1 = residual1_.plan(arena, rows);
  saved.middle = stream();
  saved.norm2 = LayerNorm::plan(arena, rows);
  saved.normed2 = stream();
  saved.mlp = mlp_.plan(arena, rows);
  saved.residual2 = residual2_.plan(arena, rows);
  saved.out = stream();
  return saved;
}

Block::Scratch Block::plan_scratch(Arena& arena, const Shard& largest) const {
  const int64_t rows = largest.rows();
  const int64_t width = options_.width;
  Scratch scratch;
  scratch.attention = {arena.take<float>({rows, 3 * width}), arena.take<float>({rows, width}),
                       arena.take<float>({attention_.scratch_floats(largest.tokens)})};
  scratch.mlp = {arena.take<float>({rows, options_.mlp_width})};
  scratch.normed = arena.take<float>({rows, width});
  scratch.branch = arena.take<float>({rows, width});
  return scratch;
}

void Block::forward(TensorView<float> x, const Shard& shard, const Scratch& scratch) const {
  const TensorView<float> normed = scratch.normed.slice(0, shard.rows());
  const TensorView<float> branch = scratch.branch.slice(0, shard.rows());
  // Without layer scale the branch is added by its last product; with it the branch needs a place of its own.
  const auto add_branch = [&](const Residual& residual, auto run) {
    if (!residual.layer_scale()) return run(x);
    std::fill_n(branch.data(), branch.size(), 0.0f);
    run(branch);
    residual.forward(x, branch);
    std::copy_n(branch.data(), branch.size(), x.data());
  };
  norm1_.forward(x, normed);
  add_branch(residual1_, [&](TensorView<float> y) { attention_.forward_add(normed, shard, scratch.attention, y); });
  norm2_.forward(x, normed);
  add_branch(residual2_, [&](TensorView<float> y) { mlp_.forward_add(normed, scratch.mlp, y); });
}

void Block::forward_train(TensorView<const float> x, const Shard& shard, const Saved& saved,
                          const Scratch& scratch) const {
  const int64_t rows = shard.rows();
  const TensorView<float> normed1 = saved.normed1.slice(0, rows);
  const TensorView<float> middle = saved.middle.slice(0, rows);
  const TensorView<float> normed2 = saved.normed2.slice(0, rows);
  const TensorView<float> out = saved.out.slice(0, rows);
  norm1_.forward_train(x, normed1, saved.norm1);
  attention_.forward_train(normed1, shard, saved.attention, scratch.attention, middle);
  residual1_.forward_train(x, shard, saved.residual1, middle);
  norm2_.forward_train(middle, normed2, saved.norm2);
  mlp_.forward_train(normed2, shard, saved.mlp, out);
  residual2_.forward_train(middle, shard, saved.residual2, out);
}

void Block::backward(TensorView<float> dx, TensorView<const float> x, const Saved& saved, const Shard& shard,
                     const Gradients& gradients, const Scratch& scratch) const {
  const int64_t rows = shard.rows();
  const TensorView<float> middle = saved.middle.slice(0, rows);
  const TensorView<float> dnormed = scratch.normed.slice(0, rows);
  const bool dropout_inside = shard.regularization.dropout > 0;

  TensorView<float> dbranch =
      residual2_.backward(dx, saved.residual2, shard, gradients, scratch.branch, dropout_inside);
  mlp_.backward(dbranch, saved.normed2.slice(0, rows), saved.mlp, shard, gradients, scratch.mlp, dnormed);
  norm2_.backward(dnormed, middle, saved.norm2, shard, gradients, dx, dx);

  dbranch = residual1_.backward(dx, saved.residual1, shard, gradients, scratch.branch, dropout_inside);
  attention_.backward(dbranch, saved.normed1.slice(0, rows), saved.attention, shard, gradients, scratch.attention,
                      dnormed);
  norm1_.backward(dnormed, x, saved.norm1, shard, gradients, dx, dx);
}

}  // namespace vit
