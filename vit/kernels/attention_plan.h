// How attention cuts its work into blocks, and where the pieces lie in the caller's scratch; the same for every
// instruction set.
#pragma once

#include <algorithm>
#include <cstdint>

namespace vit {

constexpr int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

struct AttentionPlan {
  static constexpr int64_t kLine = 16;           // floats of a cache line, and of the longest vector
  static constexpr int64_t kMaxQueryBlock = 72;  // a multiple of the rows of a register tile
  static constexpr int64_t kMaxKeyBlock = 256;

  int64_t tokens, head_size;
  int64_t query_block, key_block;  // of all blocks but the last
  int64_t key_blocks;
  int64_t score_stride;  // of rows over a block of keys
  int64_t head_stride;   // of rows over the head size

  AttentionPlan(int64_t n, int64_t k)
      : tokens(n),
        head_size(k),
        query_block(balanced(n, kMaxQueryBlock, 6)),
        key_block(balanced(n, kMaxKeyBlock, kLine)),
        key_blocks((n + key_block - 1) / key_block),
        // An odd number of lines, so that a column of rows does not fall into few sets of the cache.
        score_stride(key_block + (key_block / kLine % 2 == 0 ? kLine : 0)),
        head_stride(round_up(k, kLine)) {}

  int64_t queries_from(int64_t query) const { return std::min(query_block, tokens - query); }
  // Rows over queries come in whole groups of four, as softmax works on four at a time.
  int64_t query_rows() const { return round_up(query_block, 4); }
  int64_t scores() const { return query_rows() * score_stride; }
  int64_t queries() const { return query_rows() * head_stride; }
  int64_t rows() const { return tokens * head_stride; }
  int64_t transposed_block() const { return head_size * score_stride; }
  int64_t transposed() const { return key_blocks * transposed_block(); }

 private:
  /// The size of equal blocks of at most `largest`.
  static int64_t balanced(int64_t count, int64_t largest, int64_t multiple) {
    const int64_t blocks = std::max<int64_t>(1, (count + largest - 1) / largest);
    return round_up(std::max<int64_t>(1, (count + blocks - 1) / blocks), multiple);
  }
};

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

struct ForwardScratch {
  float *keys, *values;  // keys transposed [K, N], values [N, K]
  float *scores, *out;   // of a block of queries
  float *max, *sum;

  ForwardScratch(const AttentionPlan& plan, ScratchPieces& pieces)
      : keys(pieces.take(plan.transposed())),
        values(pieces.take(plan.rows())),
        scores(pieces.take(plan.scores())),
        out(pieces.take(plan.queries())),
        max(pieces.take(plan.query_rows())),
        sum(pieces.take(plan.query_rows())) {}
};

struct BackwardScratch {
  float *keys_transposed, *values_transposed;  // [K, N]
  float *keys, *dkeys, *dvalues;               // [N, K]
  float *scores, *dscores;                     // of a block of queries
  float *queries, *dqueries, *dout;
  float *log_sum_exp, *delta;

  BackwardScratch(const AttentionPlan& plan, ScratchPieces& pieces)
      : keys_transposed(pieces.take(plan.transposed())),
        values_transposed(pieces.take(plan.transposed())),
        keys(pieces.take(plan.rows())),
        dkeys(pieces.take(plan.rows())),
        dvalues(pieces.take(plan.rows())),
        scores(pieces.take(plan.scores())),
        dscores(pieces.take(plan.scores())),
        queries(pieces.take(plan.queries())),
        dqueries(pieces.take(plan.queries())),
        dout(pieces.take(plan.queries())),
        log_sum_exp(pieces.take(plan.query_block)),
        delta(pieces.take(plan.query_block)) {}
};

}  // namespace vit
