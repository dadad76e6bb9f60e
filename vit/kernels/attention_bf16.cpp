#include "vit/kernels/attention_bf16.h"

#include <algorithm>

#include "vit/kernels/attention_plan.h"

namespace vit {
namespace {

constexpr int64_t kTile = Bf16Plan::kTileQueries;

/// Sizes of pieces of scratch in floats: bounds that never shrink as queries or keys grow, so scratch for many serves
/// fewer.
struct PieceSizes {
  int64_t transposed, keys, key_pairs, scores;
  int64_t query_rows, query_pairs, block_queries, block_scores;

  PieceSizes(int64_t queries, int64_t key_count, int64_t head_size) {
    const int64_t blocks = (key_count + Bf16Plan::kMaxKeyBlock - 1) / Bf16Plan::kMaxKeyBlock;
    const int64_t stride = round_up(head_size, 32),
                  block = round_up(std::min(queries, Bf16Plan::kMaxQueryBlock), kTile);
    const int64_t score_stride = round_up(std::min(key_count, Bf16Plan::kMaxKeyBlock), 32) + 16;
    transposed = (head_size + 1) / 2 * (key_count + 48 * blocks);
    keys = key_count * stride;
    key_pairs = (key_count + 1) / 2 * stride;
    scores = kTile * score_stride;
    query_rows = block * stride / 2;
    query_pairs = block / 2 * stride;
    block_queries = block;
    block_scores = block / 2 * score_stride;
  }
};

Bf16Pair* take_pairs(ScratchPieces& pieces, int64_t count) { return reinterpret_cast<Bf16Pair*>(pieces.take(count)); }

void place(const PieceSizes& sizes, ScratchPieces& pieces, Bf16Forward& call) {
  call.keys = take_pairs(pieces, sizes.transposed);
  call.values = take_pairs(pieces, sizes.key_pairs);
  call.queries = take_pairs(pieces, sizes.query_rows);
  call.scores = pieces.take(sizes.scores);
  call.sums = pieces.take(2 * sizes.query_rows);
  call.max = pieces.take(kTile);
  call.weight = pieces.take(kTile);
}

void place(const PieceSizes& sizes, ScratchPieces& pieces, Bf16Backward& call) {
  call.keys_transposed = take_pairs(pieces, sizes.transposed);
  call.values_transposed = take_pairs(pieces, sizes.transposed);
  call.keys = take_pairs(pieces, sizes.key_pairs);
  call.dkeys = pieces.take(sizes.keys);
  call.dvalues = pieces.take(sizes.keys);
  call.queries = take_pairs(pieces, sizes.query_rows);
  call.dout_rows = take_pairs(pieces, sizes.query_rows);
  call.query_pairs = take_pairs(pieces, sizes.query_pairs);
  call.dout_pairs = take_pairs(pieces, sizes.query_pairs);
  call.probabilities = take_pairs(pieces, sizes.block_scores);
  call.dscores_of_queries = take_pairs(pieces, sizes.block_scores);
  call.dqueries = pieces.take(2 * sizes.query_rows);
  call.log2_sum_exp = pieces.take(sizes.block_queries);
  call.delta = pieces.take(sizes.block_queries);
  call.scores = pieces.take(sizes.scores);
  call.dscores = pieces.take(sizes.scores);
}

}  // namespace

Bf16Plan bf16_plan(int64_t queries, int64_t keys, int64_t head_size) {
  const int64_t blocks = (keys + Bf16Plan::kMaxKeyBlock - 1) / Bf16Plan::kMaxKeyBlock;
  const int64_t key_block = round_up((keys + blocks - 1) / blocks, 32);
  // An odd number of lines, so that a column of rows does not fall into few sets of the cache.
  return {queries, keys, head_size, key_block, key_block + 16, round_up(head_size, 32)};
}

int64_t attention_scratch_bf16(int64_t queries, int64_t keys, int64_t head_size) {
  const PieceSizes sizes(queries, keys, head_size);
  ScratchPieces forward(nullptr), backward(nullptr);
  Bf16Forward forward_call{};
  Bf16Backward backward_call{};
  place(sizes, forward, forward_call);
  place(sizes, backward, backward_call);
  return std::max(forward.needed(), backward.needed());
}

void attention_forward_bf16(ConstMatrix q, ConstMatrix k, ConstMatrix v, const AttentionOptions& options, Matrix out,
                            float* log_sum_exp, float* scratch) {
  const int64_t keys = valid_keys(k.rows(), options);
  Bf16Forward call{};
  call.plan = bf16_plan(q.rows(), keys, q.cols());
  call.q = bf16_rows(q);
  call.k = bf16_rows(k.slice(0, keys));
  call.v = bf16_rows(v.slice(0, keys));
  call.scale = options.scale;
  call.score_scale = options.bias ? 1 : options.scale;
  call.out_scale = options.out_scale;
  call.bias = {options.bias.data(), options.bias.stride(0)};
  if (out.type() == DType::i8)
    call.out_i8 = static_cast<int8_t*>(out.data());
  else
    call.out = static_cast<BFloat16*>(out.data());
  call.out_stride = out.stride();
  call.log_sum_exp = log_sum_exp;
  call.ahead = options.ahead;
  ScratchPieces pieces(scratch);
  place(PieceSizes(q.rows(), keys, q.cols()), pieces, call);
  attention_forward_avx512_bf16(call);
}

void attention_backward_bf16(ConstMatrix dout, ConstMatrix q, ConstMatrix k, ConstMatrix v, ConstMatrix out,
                             const float* log_sum_exp, const AttentionOptions& options,
                             const AttentionGradients& gradients, float* scratch) {
  const int64_t keys = valid_keys(k.rows(), options);
  const auto elements = [](const Matrix& m) { return static_cast<BFloat16*>(m.data()); };
  Bf16Backward call{};
  call.plan = bf16_plan(q.rows(), keys, q.cols());
  call.dout = bf16_rows(dout);
  call.q = bf16_rows(q);
  call.k = bf16_rows(k.slice(0, keys));
  call.v = bf16_rows(v.slice(0, keys));
  call.out = bf16_rows(out);
  call.log_sum_exp = log_sum_exp;
  call.scale = options.scale;
  call.score_scale = options.bias ? 1 : options.scale;
  call.bias = {options.bias.data(), options.bias.stride(0)};
  call.dbias = gradients.dbias.data();
  call.dbias_stride = gradients.dbias.stride(0);
  call.dq = elements(gradients.dq);
  call.dk = elements(gradients.dk);
  call.dv = elements(gradients.dv);
  call.dq_stride = gradients.dq.stride();
  call.dk_stride = gradients.dk.stride();
  call.dv_stride = gradients.dv.stride();
  call.ahead = options.ahead;
  ScratchPieces pieces(scratch);
  place(PieceSizes(q.rows(), keys, q.cols()), pieces, call);
  attention_backward_avx512_bf16(call);
}

}  // namespace vit
