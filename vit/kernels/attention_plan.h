// How attention cuts its work into blocks, and where the pieces lie in the caller's scratch; the same for every
// instruction set.
#pragma once

#include <algorithm>
#include <cstdint>

#include "vit/core/dtype.h"
#include "vit/kernels/attention.h"

namespace vit {

constexpr int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

struct AttentionPlan {
  static constexpr int64_t kLine = 16;           // floats of a cache line, and of the longest vector
  static constexpr int64_t kMaxQueryBlock = 72;  // a multiple of the rows of a register tile
  static constexpr int64_t kMaxKeyBlock = 256;

  int64_t queries, keys, head_size;
  int64_t query_block, key_block;  // of all blocks but the last
  int64_t score_stride;            // of rows over a block of keys
  int64_t head_stride;             // of rows over the head size

  AttentionPlan(int64_t query_count, int64_t key_count, int64_t k)
      : queries(query_count),
        keys(key_count),
        head_size(k),
        query_block(balanced(query_count, kMaxQueryBlock, 6)),
        key_block(balanced(key_count, kMaxKeyBlock, kLine)),
        // An odd number of lines, so that a column of rows does not fall into few sets of the cache.
        score_stride(key_block + (key_block / kLine % 2 == 0 ? kLine : 0)),
        head_stride(round_up(k, kLine)) {}

  int64_t queries_from(int64_t query) const { return std::min(query_block, queries - query); }
  int64_t transposed_block() const { return head_size * score_stride; }

  // Floats of the pieces: bounds that never shrink as queries or keys grow, so scratch for many serves fewer.
  // Rows over queries come in whole groups of four, as softmax works on four at a time.
  int64_t query_rows() const { return round_up(round_up(std::min(queries, kMaxQueryBlock), 6), 4); }
  int64_t scores() const { return query_rows() * (round_up(std::min(keys, kMaxKeyBlock), kLine) + kLine); }
  int64_t query_block_size() const { return query_rows() * head_stride; }
  int64_t query_size() const { return queries * head_stride; }
  int64_t key_size() const { return keys * head_stride; }
  int64_t transposed() const {
    const int64_t blocks = (keys + kMaxKeyBlock - 1) / kMaxKeyBlock;
    return head_size * (keys + 2 * kLine * blocks);  // each block's rows are at most 2 kLine - 1 longer than its keys
  }

 private:
  /// The size of equal blocks of at most `largest`.
  static int64_t balanced(int64_t count, int64_t largest, int64_t multiple) {
    const int64_t blocks = std::max<int64_t>(1, (count + largest - 1) / largest);
    return round_up(std::max<int64_t>(1, (count + blocks - 1) / blocks), multiple);
  }
};

/// The keys that are not masked. Throws Error (internal) when there are none, or more than keys.
inline int64_t valid_keys(int64_t keys, const AttentionOptions& options) {
  const int64_t valid = options.valid_tokens < 0 ? keys : options.valid_tokens;
  if (valid < 1 || valid > keys)
    fail(ErrorKind::internal, "[attention: valid_tokens] needs 1 to ", keys, ", has ", valid);
  return valid;
}

/// Hands out pieces of scratch that begin at cache lines; over a null pointer it only counts.
class ScratchPieces {
 public:
  explicit ScratchPieces(float* scratch) : next_(scratch) {
    if (scratch == nullptr) return;
    const auto line = static_cast<uintptr_t>(AttentionPlan::kLine) * sizeof(float);
    next_ += (line - reinterpret_cast<uintptr_t>(scratch) % line) % line / sizeof(float);
  }

  float* take(int64_t count) {
    float* piece = next_;
    const int64_t size = round_up(count, AttentionPlan::kLine);
    if (next_ != nullptr) next_ += size;
    used_ += size;
    return piece;
  }

  /// Floats that the pieces need, wherever the scratch begins.
  int64_t needed() const { return used_ + AttentionPlan::kLine; }

 private:
  float* next_;
  int64_t used_ = 0;
};

/// Copies of the inputs in fp32; takes nothing where they are fp32.
struct WidenedScratch {
  float *q, *k, *v;

  WidenedScratch(const AttentionPlan& plan, DType type, ScratchPieces& pieces)
      : q(pieces.take(type == DType::f32 ? 0 : plan.query_size())),
        k(pieces.take(type == DType::f32 ? 0 : plan.key_size())),
        v(pieces.take(type == DType::f32 ? 0 : plan.key_size())) {}
};

struct ForwardScratch {
  float *keys, *values;  // keys transposed [K, Nk], values [Nk, K]
  float *scores, *out;   // of a block of queries
  float *max, *sum;
  WidenedScratch widened;

  ForwardScratch(const AttentionPlan& plan, DType type, ScratchPieces& pieces)
      : keys(pieces.take(plan.transposed())),
        values(pieces.take(plan.key_size())),
        scores(pieces.take(plan.scores())),
        out(pieces.take(plan.query_block_size())),
        max(pieces.take(plan.query_rows())),
        sum(pieces.take(plan.query_rows())),
        widened(plan, type, pieces) {}
};

struct BackwardScratch {
  float *keys_transposed, *values_transposed;  // [K, Nk]
  float *keys, *dkeys, *dvalues;               // [Nk, K]
  float *scores, *dscores;                     // of a block of queries
  float *queries, *dqueries, *dout;
  float *log_sum_exp, *delta;
  WidenedScratch widened;
  float *widened_dout, *widened_out;

  BackwardScratch(const AttentionPlan& plan, DType type, ScratchPieces& pieces)
      : keys_transposed(pieces.take(plan.transposed())),
        values_transposed(pieces.take(plan.transposed())),
        keys(pieces.take(plan.key_size())),
        dkeys(pieces.take(plan.key_size())),
        dvalues(pieces.take(plan.key_size())),
        scores(pieces.take(plan.scores())),
        dscores(pieces.take(plan.scores())),
        queries(pieces.take(plan.query_block_size())),
        dqueries(pieces.take(plan.query_block_size())),
        dout(pieces.take(plan.query_block_size())),
        log_sum_exp(pieces.take(plan.query_rows())),
        delta(pieces.take(plan.query_rows())),
        widened(plan, type, pieces),
        widened_dout(pieces.take(type == DType::f32 ? 0 : plan.query_size())),
        widened_out(pieces.take(type == DType::f32 ? 0 : plan.query_size())) {}
};

}  // namespace vit
