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

/// Rows of an inference pass that go through a block's products together: about as many as the model is wide. Then an
/// activation is as large as the weight that it is multiplied by, and the cache has to bring in neither more often.
int64_t chunk_rows(const Block::Options& o, int64_t rows) {
  const int64_t chunks = std::max<int64_t>(1, (rows + o.width / 2) / o.width);
  return (rows + chunks - 1) / chunks;
}

/// body(begin, count) for pieces of `rows`, equal but for the last; a short one would cost as much as a long one.
template <class Body>
void for_chunks(int64_t rows, int64_t largest, Body body) {
  if (rows == 0) return;
  const int64_t chunks = (rows + largest - 1) / largest, chunk = (rows + chunks - 1) / chunks;
  for (int64_t begin = 0; begin < rows; begin += chunk) body(begin, std::min(chunk, rows - begin));
}

}  // namespace

Block::Block(Registry& registry, const std::string& name, const Options& o)
    : options_(o),
      norm1_(registry, name + ".norm1", o.width, o.eps),
      attention_(registry, name + ".attn",
                 {.width = o.width,
                  .heads = o.heads,
                  .qkv_bias = o.qkv_bias,
                  .class_row = o.class_row,
                  .dropout_site = site(o, 0)}),
      residual1_(registry, name + ".ls1", residual_options(o, 4)),
      norm2_(registry, name + ".norm2", o.width, o.eps),
      mlp_(registry, name + ".mlp",
           {.width = o.width, .hidden = o.mlp_width, .activation = o.activation, .dropout_site = site(o, 2)}),
      residual2_(registry, name + ".ls2", residual_options(o, 5)) {}

void Block::pack(const Packing& packing) {
  residual1_.pack(packing);
  residual2_.pack(packing);
  // In inference layer scale is part of the weights before it.
  attention_.pack(packing, packing.training ? nullptr : residual1_.gamma());
  mlp_.pack(packing, packing.training ? nullptr : residual2_.gamma());
  norm1_.pack(packing, 1 / attention_.input().input_scale());
  norm2_.pack(packing, 1 / mlp_.input().input_scale());
}

Block::Saved Block::plan(Arena& arena, const Shard& largest) const {
  Saved saved = plan_around_attention(arena, largest);
  saved.attention = attention_.plan(arena, largest, leaving(largest));
  saved.out = plan_out(arena, largest);
  return saved;
}

Block::Saved Block::plan_recomputed(Arena& arena, const Shard& largest, Recompute recompute) const {
  Saved saved;
  if (recompute == Recompute::block) saved = plan_around_attention(arena, largest);
  if (recompute != Recompute::none) saved.attention = attention_.plan(arena, largest, leaving(largest));
  return saved;
}

Block::Saved Block::plan(Arena& arena, const Shard& largest, Recompute recompute, const Saved& recomputed) const {
  if (recompute == Recompute::none) return plan(arena, largest);
  Saved saved = recompute == Recompute::block ? recomputed : plan_around_attention(arena, largest);
  saved.attention = recomputed.attention;
  saved.attention_shared = recompute == Recompute::attention;
  saved.out = plan_out(arena, largest);
  return saved;
}

TensorView<float> Block::plan_out(Arena& arena, const Shard& largest) const {
  return arena.take<float>({leaving(largest).rows(), options_.width});
}

Block::Saved Block::plan_around_attention(Arena& arena, const Shard& largest) const {
  const Shard out = leaving(largest);
  Saved saved;
  saved.norm1 = LayerNorm::plan(arena, largest.rows());
  saved.normed1 = arena.take(attention_.input().type(), largest.rows(), options_.width);
  saved.residual1 = residual1_.plan(arena, out.rows());
  saved.middle = arena.take<float>({out.rows(), options_.width});
  saved.norm2 = LayerNorm::plan(arena, out.rows());
  saved.normed2 = arena.take(mlp_.input().type(), out.rows(), options_.width);
  saved.mlp = mlp_.plan(arena, out.rows());
  saved.residual2 = residual2_.plan(arena, out.rows());
  return saved;
}

Block::Scratch Block::plan_scratch(Arena& arena, const Shard& largest, bool training) const {
  const int64_t rows = largest.rows();
  const DType type = attention_.input().type();
  const int64_t chunk = training ? rows : chunk_rows(options_, rows);
  Scratch scratch;
  scratch.attention = attention_.plan_scratch(arena, largest, largest, training);
  scratch.mlp = mlp_.plan_scratch(arena, chunk, training);
  scratch.leaving = arena.take<float>({largest.images, options_.width});
  if (training) {
    scratch.dnormed = arena.take<float>({rows, options_.width});
    scratch.branch = arena.take<float>({rows, options_.width});
  } else {
    // The last block's class tokens are picked out of whole images.
    scratch.normed = arena.take(between_products(type), std::max(chunk, largest.own()), options_.width);
  }
  return scratch;
}

/// The stream of the class tokens, which alone leave, in dense rows.
TensorView<float> Block::copy_leaving(TensorView<const float> x, const Shard& in, const Scratch& scratch) const {
  const TensorView<float> rows = scratch.leaving.slice(0, in.images);
  convert(x.every(in.own()), rows);
  return rows;
}

void Block::project(TensorView<const float> x, const Shard& shard, Matrix qkv, const Scratch& scratch) const {
  // Whole images only where the class tokens' rows are picked out of them.
  const int64_t unit = options_.class_row ? shard.own() : 1;
  for_chunks(shard.rows() / unit, scratch.normed.rows() / unit, [&](int64_t begin, int64_t count) {
    const Matrix normed = scratch.normed.slice(0, count * unit).as(attention_.input().type());
    norm1_.forward(x.slice(begin * unit, count * unit), normed);
    attention_.project(normed, shard.first_token + begin * unit, shard, qkv, scratch.attention);
  });
}

TensorView<float> Block::finish(TensorView<float> x, const Shard& shard, ConstMatrix qkv,
                                const Scratch& scratch) const {
  const Shard out = leaving(shard);
  const Matrix heads = attention_.attend(qkv, out, scratch.attention);
  const TensorView<float> stream = options_.class_row ? copy_leaving(x, shard, scratch) : x;
  for_chunks(out.rows(), scratch.mlp.hidden.rows(), [&](int64_t begin, int64_t count) {
    const TensorView<float> rows = stream.slice(begin, count);
    const Matrix normed = scratch.normed.slice(0, count).as(mlp_.input().type());
    attention_.merge_add(heads.slice(begin, count), rows);
    norm2_.forward(rows, normed);
    mlp_.forward_add(normed, scratch.mlp, rows);
  });
  return stream;
}

void Block::forward_train(TensorView<const float> x, const Shard& shard, const Saved& saved,
                          const Scratch& scratch) const {
  const Shard leave = leaving(shard);
  const Matrix normed1 = saved.normed1.slice(0, shard.rows());
  const TensorView<float> middle = saved.middle.slice(0, leave.rows());
  const Matrix normed2 = saved.normed2.slice(0, leave.rows());
  const TensorView<float> out = saved.out.slice(0, leave.rows());
  norm1_.forward_train(x, normed1, saved.norm1);
  attention_.forward_train(normed1, shard, leave, saved.attention, scratch.attention, middle);
  if (options_.class_row) x = copy_leaving(x, shard, scratch);
  residual1_.forward_train(x, leave, saved.residual1, middle);
  norm2_.forward_train(middle, normed2, saved.norm2);
  mlp_.forward_train(normed2, leave, saved.mlp, out);
  residual2_.forward_train(middle, leave, saved.residual2, out);
}

void Block::backward(TensorView<float> dout, TensorView<const float> x, const Saved& saved, const Shard& shard,
                     const Gradients& gradients, const Scratch& scratch, TensorView<float> dx) const {
  const Shard leave = leaving(shard);
  const TensorView<float> middle = saved.middle.slice(0, leave.rows());
  const TensorView<float> dnormed2 = scratch.dnormed.slice(0, leave.rows());
  const TensorView<float> dnormed1 = scratch.dnormed.slice(0, shard.rows());
  const bool dropout_inside = shard.regularization.dropout > 0;

  TensorView<float> dbranch =
      residual2_.backward(dout, saved.residual2, leave, gradients, scratch.branch, dropout_inside);
  mlp_.backward(dbranch, saved.normed2.slice(0, leave.rows()), saved.mlp, leave, gradients, scratch.mlp, dnormed2);
  norm2_.backward(dnormed2, middle, saved.norm2, leave, gradients, dout, dout);

  if (saved.attention_shared)
    attention_.recompute(saved.normed1.slice(0, shard.rows()), shard, leave, saved.attention, scratch.attention);
  dbranch = residual1_.backward(dout, saved.residual1, leave, gradients, scratch.branch, dropout_inside);
  attention_.backward(dbranch, saved.normed1.slice(0, shard.rows()), saved.attention, shard, leave, gradients,
                      scratch.attention, dnormed1);
  TensorView<float> past_branch = dout;
  if (options_.class_row) {
    std::fill_n(dx.data(), dx.size(), 0.0f);
    convert(dout, dx.every(shard.tokens));
    past_branch = dx;
  }
  norm1_.backward(dnormed1, x, saved.norm1, shard, gradients, past_branch, dx);
}

}  // namespace vit
