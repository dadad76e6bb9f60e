#include "vit/model/vit.h"

#include <algorithm>

#include "vit/core/parallel.h"
#include "vit/model/parts.h"

namespace vit {
namespace {

const ModelConfig& validated(const ModelConfig& config) {
  validate(config);
  return config;
}

bool reads_one_token(const ModelConfig& config) {
  const auto& one_token = readouts().at(config.pooling).one_token;
  return one_token && one_token(config);
}

/// The stages with the stream that enters each: one goes on as long as stages work in place.
std::vector<std::size_t> number_streams(const std::vector<std::unique_ptr<Stage>>& stages) {
  std::vector<std::size_t> streams{0};
  for (const auto& stage : stages) streams.push_back(streams.back() + (stage->in_place() ? 0 : 1));
  return streams;
}

}  // namespace

Vit::Vit(const ModelConfig& config, const VitOptions& options)
    : config_(validated(config)),
      options_(options),
      registry_(layout_),
      tokens_(config_.tokens()),
      embedding_(make_embedding(config_, registry_)),
      one_token_(reads_one_token(config_)) {
  stages_ = stage_lists().at(config_.stages).make(config_, registry_, one_token_ && !options_.all_tokens);
  readout_ = readouts().at(config_.pooling).make(config_, registry_);
  stream_of_ = number_streams(stages_);
  if (readout_->earlier_stages() >= static_cast<int64_t>(stages_.size()))
    fail(ErrorKind::usage, "[vit] the readout needs more than ", readout_->earlier_stages(), " stages, there are ",
         stages_.size());
}

void Vit::pack(const ParameterSource& source, bool training, const std::function<float(int)>& input_scale,
               const InputObserver& observe) {
  const Packing packing{source, options_.dtype, training, input_scale, observe};
  embedding_->pack(packing);
  readout_->pack(packing);
  parallel_for(static_cast<int64_t>(stages_.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) stages_[static_cast<std::size_t>(i)]->pack(packing);
  });
}

int64_t Vit::map_count() const {
  int64_t count = 0;
  for (const auto& stage : stages_) count += stage->map_count();
  return count;
}

bool Vit::for_teams() const {
  return std::all_of(stages_.begin(), stages_.end(), [](const auto& stage) { return stage->for_teams(); });
}

Shard Vit::largest(int64_t images) const {
  Shard shard;
  shard.images = images;
  shard.tokens = tokens_;
  return shard;
}

/// What the readout reads of the stream after the last stage.
TensorView<float> Vit::read_rows(TensorView<float> x, const Shard& last) const {
  return one_token_ ? x.every(last.own()) : x;
}

/// Which of the readout's earlier stages this one is; negative or past the last = none.
int64_t Vit::read_early(std::size_t stage) const {
  return static_cast<int64_t>(stage + 1) - static_cast<int64_t>(stages_.size()) + readout_->earlier_stages();
}

/// Hands the readout the first tokens of what left a stage, where it reads them.
void Vit::keep_first_tokens(std::size_t stage, TensorView<const float> out, const Shard& left,
                            const State& readout) const {
  const int64_t i = read_early(stage);
  if (i < 0 || i >= readout_->earlier_stages()) return;
  convert(out.every(left.own()), readout_->earlier_tokens(readout, i, left.images));
}

/// What the readout asks of those tokens, on top of what the stages behind do.
void Vit::add_earlier_gradients(std::size_t stage, const Shard& left, const State& readout,
                                TensorView<float> dout) const {
  const int64_t i = read_early(stage);
  if (i < 0 || i >= readout_->earlier_stages()) return;
  const TensorView<const float> gradients = readout_->earlier_gradients(readout, i, left.images);
  for (int64_t b = 0; b < left.images; ++b) add_to(gradients[b].data(), gradients.cols(), dout[b * left.own()].data());
}

/// plan(stage, shard) of each stage with the shard that enters it, in places that all of them use in turn. Gives the
/// shard that leaves the last.
template <class Plan>
Shard Vit::plan_in_turn(Arena& arena, const Shard& first, Plan plan) const {
  Shard shard = first;
  Overlay overlay(arena);
  for (const auto& stage : stages_) {
    overlay.next();
    plan(*stage, shard);
    shard = stage->leaving(shard);
  }
  return shard;
}

/// One place a stream, for the stages that a shard of `largest` goes through.
std::vector<TensorView<float>> Vit::plan_streams(Arena& arena, const Shard& largest) const {
  Shard shard = largest;
  int64_t width = config_.width;
  std::vector<TensorView<float>> streams{arena.take<float>({shard.rows(), width})};
  for (const auto& stage : stages_) {
    shard = stage->leaving(shard);
    width = stage->width_after(width);
    if (!stage->in_place()) streams.push_back(arena.take<float>({shard.rows(), width}));
  }
  return streams;
}

// ---- one worker ----

InferenceWorkspace Vit::plan_inference(Arena& arena, int64_t images) const {
  InferenceWorkspace w;
  w.embedding = embedding_->plan_scratch(arena, images, false);
  const Shard last = plan_in_turn(arena, largest(images), [&](const Stage& stage, const Shard& shard) {
    w.stages.push_back(stage.plan_scratch(arena, shard, false));
    w.shared.push_back(stage.plan_shared(arena, shard));
  });
  w.streams = plan_streams(arena, largest(images));
  w.readout = readout_->plan(arena, last, false);
  return w;
}

void Vit::forward(TensorView<const float> input, const Shard& first, const InferenceWorkspace& w,
                  TensorView<float> logits, TensorView<float> maps, const StreamObserver& observe) const {
  Shard shard = first;
  TensorView<float> x = w.streams.front().slice(0, shard.rows());
  embedding_->forward(input, shard, w.embedding, x);
  if (observe) observe(x);
  int64_t map = 0;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const Stage& stage = *stages_[i];
    const Matrix shared = w.shared[i] ? w.shared[i].slice(0, shard.images * shard.tokens.count()) : w.shared[i];
    const Shard leaving = stage.leaving(shard);
    const TensorView<float> out = w.streams[stream_of_[i + 1]].slice(0, leaving.rows());
    stage.begin(x, shard, shared, w.stages[i]);
    stage.end(x, shard, shared, w.stages[i], out);
    if (maps && stage.map_count() > 0) stage.maps(shard, shared, maps.columns(map, stage.map_count()));
    map += stage.map_count();
    keep_first_tokens(i, out, leaving, w.readout);
    if (observe) observe(out);
    shard = leaving;
    x = out;
  }
  readout_->forward(read_rows(x, shard), shard, w.readout, logits);
}

// ---- a team on one image ----

namespace {

/// The tokens of a part; parts differ by one token at most.
Shard part_shard(const Tokens& tokens, int part, int parts) {
  Shard shard;
  shard.images = 1;
  shard.tokens = tokens;
  shard.first_token = tokens.count() * part / parts;
  shard.own_tokens = tokens.count() * (part + 1) / parts - shard.first_token;
  return shard;
}

}  // namespace

TeamWorkspace Vit::plan_team(Arena& arena, int parts) const {
  TeamWorkspace w;
  w.embedding = embedding_->plan_scratch(arena, 1, false);
  w.parts.resize(stages_.size());
  w.shared.resize(stages_.size());
  for (int part = 0; part < parts; ++part) {
    Overlay overlay(arena);
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      overlay.next();
      w.parts[i].push_back(stages_[i]->plan_scratch(arena, part_shard(tokens_, part, parts), false));
    }
  }
  for (const std::size_t first : {std::size_t{0}, std::size_t{1}}) {
    Overlay overlay(arena);
    for (std::size_t i = first; i < stages_.size(); i += 2) {
      overlay.next();
      w.shared[i] = stages_[i]->plan_shared(arena, largest(1));
    }
  }
  w.streams = plan_streams(arena, largest(1));
  w.readout = readout_->plan(arena, largest(1), false);
  return w;
}

// A phase ends the stage before and begins the next one for the part's tokens; the last one is the readout. Where the
// embedding does not split, it has a phase of its own.
void Vit::forward_part(int phase, int part, TensorView<const float> input, const TeamWorkspace& w,
                       TensorView<float> logits) const {
  if (!embedding_->splits()) {
    if (phase == 0 && part == 0) embedding_->forward(input, largest(1), w.embedding, w.streams.front());
    if (phase-- == 0) return;
  }
  const std::size_t now = static_cast<std::size_t>(phase), count = stages_.size();
  if (now == count + 1) {
    Shard last = largest(1);
    for (const auto& stage : stages_) last = stage->leaving(last);
    if (part == 0) readout_->forward(read_rows(w.streams.back(), last), last, w.readout, logits);
    return;
  }
  const Shard shard = part_shard(tokens_, part, static_cast<int>(w.parts.front().size()));
  if (shard.own_tokens == 0) return;
  const auto own = static_cast<std::size_t>(part);
  const TensorView<float> x = w.streams.front().slice(shard.first_token, shard.own_tokens);
  if (now == 0) {
    if (embedding_->splits()) embedding_->forward(input, shard, w.embedding, x);
  } else {
    const Stage& before = *stages_[now - 1];
    // A stage that does not work in place lets the first token leave alone.
    const TensorView<float> out = before.in_place() ? x : w.streams[stream_of_[now]];
    if (before.in_place() || shard.first_token == 0)
      before.end(x, shard, w.shared[now - 1], w.parts[now - 1][own], out);
    if (shard.first_token == 0) keep_first_tokens(now - 1, out, before.leaving(shard), w.readout);
  }
  if (now < count) stages_[now]->begin(x, shard, w.shared[now], w.parts[now][own]);
}

// ---- training ----

TrainingWorkspace Vit::plan_training(Arena& arena, int64_t images) const {
  if (options_.all_tokens) fail(ErrorKind::internal, "[vit] training has no use for all tokens of the last block");
  TrainingWorkspace w;
  w.embedding = embedding_->plan_scratch(arena, images, true);
  plan_in_turn(arena, largest(images), [&](const Stage& stage, const Shard& shard) {
    w.scratch.push_back(stage.plan_scratch(arena, shard, true));
  });
  // The last stage keeps all: backward begins with it.
  const auto recompute = [&](const Stage& stage) {
    return &stage == stages_.back().get() ? Recompute::none : options_.recompute;
  };
  std::vector<State> recomputed;
  plan_in_turn(arena, largest(images), [&](const Stage& stage, const Shard& shard) {
    recomputed.push_back(stage.plan_recomputed(arena, shard, recompute(stage)));
  });
  Shard shard = largest(images);
  int64_t width = config_.width;
  w.streams.push_back(arena.take<float>({shard.rows(), width}));
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    w.stages.push_back(stages_[i]->plan(arena, shard, recompute(*stages_[i]), recomputed[i]));
    shard = stages_[i]->leaving(shard);
    width = stages_[i]->width_after(width);
    w.streams.push_back(arena.take<float>({shard.rows(), width}));
  }
  w.readout = readout_->plan(arena, shard, true);
  w.logits = arena.take<float>({images, config_.classes});
  w.dlogits = arena.take<float>({images, config_.classes});
  w.gradients = plan_streams(arena, largest(images));
  w.losses = arena.take<float>({images});
  return w;
}

void Vit::forward_train(TensorView<const float> input, const Shard& first, const TrainingWorkspace& w) const {
  Shard shard = first;
  TensorView<float> x = w.streams.front().slice(0, shard.rows());
  embedding_->forward_train(input, shard, w.embedding, x);
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const Shard leaving = stages_[i]->leaving(shard);
    const TensorView<float> out = w.streams[i + 1].slice(0, leaving.rows());
    stages_[i]->forward_train(x, shard, w.stages[i], w.scratch[i], out);
    keep_first_tokens(i, out, leaving, w.readout);
    shard = leaving;
    x = out;
  }
  readout_->forward(read_rows(x, shard), shard, w.readout, w.logits.slice(0, shard.images));
}

/// The stages behind `stage`, which a shard of their own reaches, and then itself.
void Vit::backward_from(std::size_t i, const Shard& shard, const TrainingWorkspace& w,
                        const Gradients& gradients) const {
  const TensorView<float> x = w.streams[i].slice(0, shard.rows());
  const TensorView<float> dx = w.gradients[stream_of_[i]].slice(0, shard.rows());
  if (i == stages_.size()) {
    const TensorView<float> read = read_rows(dx, shard);
    if (read.rows() < dx.rows()) std::fill_n(dx.data(), dx.size(), 0.0f);
    readout_->backward(w.dlogits.slice(0, shard.images), read_rows(x, shard), w.readout, shard, gradients, read);
    return;
  }
  const Shard leaving = stages_[i]->leaving(shard);
  backward_from(i + 1, leaving, w, gradients);
  if (options_.recompute == Recompute::block && i + 1 < stages_.size())
    stages_[i]->forward_train(x, shard, w.stages[i], w.scratch[i], w.streams[i + 1].slice(0, leaving.rows()));
  const TensorView<float> dout = w.gradients[stream_of_[i + 1]].slice(0, leaving.rows());
  add_earlier_gradients(i, leaving, w.readout, dout);
  stages_[i]->backward(dout, x, w.stages[i], shard, gradients, w.scratch[i], dx);
}

void Vit::backward(TensorView<const float> input, const Shard& shard, const TrainingWorkspace& w,
                   const Gradients& gradients) const {
  backward_from(0, shard, w, gradients);
  embedding_->backward(w.gradients.front().slice(0, shard.rows()), input, shard, gradients, w.embedding);
}

int64_t default_micro_batch(const ModelConfig& config) {
  constexpr int64_t kRows = 1100;
  const int64_t tokens = config.tokens().count();
  int64_t images = 1;
  while (2 * images * tokens <= kRows) images *= 2;
  return images;
}

}  // namespace vit
