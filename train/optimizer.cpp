#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "vit/core/error.h"
#include "vit/core/parallel.h"
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

const ParameterBlock& OptimizerState::block(std::string_view name) const {
  for (const Block& block : blocks)
    if (block.name == name) return block.values;
  fail(ErrorKind::internal, "[optimizer] the state has no block ", name);
}

Optimizer::Optimizer(const ParameterLayout& layout, const TrainConfig& config)
    : rule_(make_update_rule(config)),
      states_(rule_->state_names()),
      clip_norm_(config.clip_norm),
      block_size_(layout.block_size()),
      parameters_(layout.all()) {
  if (states_.size() > kMostStates)
    fail(ErrorKind::internal, "[optimizer] ", config.optimizer, " keeps more than ", kMostStates, " states");
  for (std::size_t index = 0; index < parameters_.size(); ++index) {
    if (!parameters_[index].role.trainable) continue;
    const int64_t count = parameters_[index].count;
    const int64_t most = rule_->whole_parameters() ? count : kPieceFloats;
    for (int64_t begin = 0; begin < count; begin += most)
      pieces_.push_back({index, begin, std::min(most, count - begin)});
  }
}

OptimizerState Optimizer::make_state() const {
  OptimizerState state;
  for (const std::string& name : states_) state.blocks.push_back({name, ParameterBlock(block_size_)});
  return state;
}

OptimizerReport Optimizer::step(float lr, float grad_scale, const ParameterBlock& gradients, ParameterBlock& weights,
                                OptimizerState& state) const {
  need_size("gradients", gradients, block_size_);
  need_size("weights", weights, block_size_);
  if (state.blocks.size() != states_.size())
    fail(ErrorKind::internal, "[optimizer] state: needs ", states_.size(), " blocks, has ", state.blocks.size());
  for (const OptimizerState::Block& block : state.blocks) need_size(block.name, block.values, block_size_);

  const auto is_trainable = [](const Parameter& p) { return p.role.trainable; };
  OptimizerReport report;
  report.norm = std::ranges::all_of(parameters_, is_trainable) ? global_norm(gradients) : norm_of_trainable(gradients);
  report.norm *= static_cast<double>(grad_scale);
  report.applied = std::isfinite(report.norm);
  if (!report.applied) return report;

  UpdateStep step{.lr = lr, .grad_scale = grad_scale, .update = ++state.updates};
  if (clip_norm_ > 0) {
    const double clip = std::min(1.0, static_cast<double>(clip_norm_) / (report.norm + 1e-6));
    step.grad_scale = static_cast<float>(static_cast<double>(grad_scale) * clip);
  }
  parallel_for(static_cast<int64_t>(pieces_.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Piece& own = pieces_[static_cast<std::size_t>(i)];
      const Parameter& parameter = parameters_[own.parameter];
      const int64_t offset = parameter.offset + own.begin;
      UpdatePiece piece{.parameter = parameter,
                        .begin = own.begin,
                        .count = own.count,
                        .gradients = gradients.data() + offset,
                        .weights = weights.data() + offset};
      for (std::size_t s = 0; s < state.blocks.size(); ++s) piece.states[s] = state.blocks[s].values.data() + offset;
      rule_->update(step, piece);
    }
  });
  return report;
}

double Optimizer::norm_of_trainable(const ParameterBlock& gradients) const {
  double sum = 0;
  for (const Piece& piece : pieces_) {
    const int64_t offset = parameters_[piece.parameter].offset + piece.begin;
    sum += sum_of_squares(gradients.data() + offset, piece.count);
  }
  return std::sqrt(sum);
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
