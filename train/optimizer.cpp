#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "vit/core/error.h"
#include "vit/core/parallel.h"
#include "vit/kernels/adamw.h"
#include "vit/kernels/elementwise.h"

namespace vit {
namespace {

constexpr int64_t kPieceFloats = 16 * 1024;  // weights, gradients and moments of a piece stay in the L2 cache

void need_size(std::string_view what, const ParameterBlock& block, int64_t size) {
  if (block.size() != size) {
    fail(ErrorKind::internal, "[optimizer] ", what, ": needs ", size, " floats, has ", block.size());
  }
}

}  // namespace

Optimizer::Optimizer(const ParameterLayout& layout, const OptimizerOptions& options)
    : options_(options), block_size_(layout.block_size()) {
  for (const Parameter& p : layout.all()) {
    for (int64_t begin = 0; begin < p.count; begin += kPieceFloats) {
      pieces_.push_back({p.offset + begin, std::min(kPieceFloats, p.count - begin), p.decay});
    }
  }
}

OptimizerState Optimizer::make_state() const { return {ParameterBlock(block_size_), ParameterBlock(block_size_), 0}; }

OptimizerReport Optimizer::step(float lr, float grad_scale, const ParameterBlock& gradients, ParameterBlock& weights,
                                OptimizerState& state) const {
  need_size("gradients", gradients, block_size_);
  need_size("weights", weights, block_size_);
  need_size("m", state.m, block_size_);
  need_size("v", state.v, block_size_);

  OptimizerReport report;
  report.norm = global_norm(gradients) * static_cast<double>(grad_scale);
  report.applied = std::isfinite(report.norm);
  if (!report.applied) return report;

  AdamwStep adamw{.lr = lr, .beta1 = options_.beta1, .beta2 = options_.beta2, .eps = options_.eps};
  adamw.grad_scale = grad_scale;
  if (options_.clip_norm > 0) {
    const double clip = std::min(1.0, static_cast<double>(options_.clip_norm) / (report.norm + 1e-6));
    adamw.grad_scale = static_cast<float>(static_cast<double>(grad_scale) * clip);
  }
  adamw.step = ++state.updates;

  parallel_for(static_cast<int64_t>(pieces_.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Piece& piece = pieces_[static_cast<std::size_t>(i)];
      AdamwStep own = adamw;
      own.weight_decay = piece.decay ? options_.weight_decay : 0;
      adamw_update(own, gradients.data() + piece.offset, piece.count, weights.data() + piece.offset,
                   state.m.data() + piece.offset, state.v.data() + piece.offset);
    }
  });
  return report;
}

double global_norm(const ParameterBlock& block) {
  const int64_t pieces = (block.size() + kPieceFloats - 1) / kPieceFloats;
  std::vector<double> squares(static_cast<std::size_t>(pieces));
  parallel_for(pieces, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t offset = i * kPieceFloats;
      squares[static_cast<std::size_t>(i)] =
          sum_of_squares(block.data() + offset, std::min(kPieceFloats, block.size() - offset));
    }
  });
  double sum = 0;
  for (double square : squares) sum += square;
  return std::sqrt(sum);
}

void clear(ParameterBlock& block) {
  parallel_for(block.size(), 16 * kPieceFloats,
               [&](int64_t begin, int64_t end) { std::fill(block.data() + begin, block.data() + end, 0.0f); });
}

}  // namespace vit
