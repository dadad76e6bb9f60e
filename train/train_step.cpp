#include "train/train_step.h"

#include <algorithm>
#include <vector>

#include "vit/core/parallel.h"
#include "vit/model/vit.h"

namespace vit {
struct TrainStep::Impl {
  Impl(const ModelConfig& config, int64_t max_batch, const StepOptions& step_options);
  StepResult run(const Batch& batch, float scale, ParameterBlock& gradients);
  StepResult run_shard(const Batch& batch, int64_t index, float scale, const Gradients& gradients,
                       const TrainingWorkspace& w);
  const TrainingWorkspace& workspace(int worker);

  Vit network;
  StepOptions options;
  int64_t micro_batch;
  Turnstile gates;
  std::vector<std::unique_ptr<Planned<TrainingWorkspace>>> workers;
  std::vector<StepResult> results;  // one a shard, summed in shard order
};

TrainStep::Impl::Impl(const ModelConfig& config, int64_t max_batch, const StepOptions& step_options)
    : network(config, {.dtype = step_options.dtype, .recompute = step_options.recompute}),
      options(step_options),
      gates(network.sections()) {
  if (config.classes < 1) fail(ErrorKind::usage, "[train] needs a model with classes, ", config.name, " has none");
  if (options.objective == nullptr) options.objective = make_objective({.label_smoothing = 0});
  if (max_batch < 1) fail(ErrorKind::usage, "[train] batch needs at least 1, has ", max_batch);
  // At least eight shards a batch, so that a small batch still feeds several threads.
  constexpr int64_t kShards = 8;
  micro_batch = options.micro_batch > 0 ? options.micro_batch
                                        : std::clamp<int64_t>(max_batch / kShards, 1, default_micro_batch(config));
  results.resize(static_cast<std::size_t>((max_batch + micro_batch - 1) / micro_batch));
}

const TrainingWorkspace& TrainStep::Impl::workspace(int index) {
  auto& worker = workers[static_cast<std::size_t>(index)];
  if (!worker)
    worker = std::make_unique<Planned<TrainingWorkspace>>(
        [&](Arena& arena) { return network.plan_training(arena, micro_batch); });
  return worker->workspace;
}

StepResult TrainStep::Impl::run_shard(const Batch& batch, int64_t index, float scale, const Gradients& gradients,
                                      const TrainingWorkspace& w) {
  const ModelConfig& config = network.config();
  const int64_t begin = index * micro_batch;
  Shard shard;
  shard.images = std::min(micro_batch, batch.patches.dim(0) - begin);
  shard.tokens = network.tokens();
  shard.valid_tokens = batch.valid_tokens == nullptr ? nullptr : batch.valid_tokens + begin;
  shard.index = index;
  shard.step = batch.step;
  shard.first_image = batch.first_image + begin;
  shard.regularization = {options.dropout, options.attention_dropout, options.drop_path, options.seed};

  const TensorView<const float> patches(batch.patches[begin].data(),
                                        {shard.images * config.patches(), config.patch_dim()});
  network.forward_train(patches, shard, w);
  const TensorView<float> logits = w.logits.slice(0, shard.images);
  const Targets targets = batch.targets.from(begin);
  options.objective->run(logits, targets, scale, w.losses.data(), w.dlogits.slice(0, shard.images));
  network.backward(patches, shard, w, gradients);

  StepResult result;
  for (int64_t b = 0; b < shard.images; ++b) result.loss_sum += static_cast<double>(w.losses(b));
  return result;
}

StepResult TrainStep::Impl::run(const Batch& batch, float scale, ParameterBlock& gradient_block) {
  const int64_t images = batch.patches.dim(0);
  const int64_t shards = (images + micro_batch - 1) / micro_batch;
  if (shards > static_cast<int64_t>(results.size()))
    fail(ErrorKind::internal, "[train] batch of ", images, " images is larger than the planned one");
  workers.resize(std::max(workers.size(), static_cast<std::size_t>(thread_count())));
  gates.reset();
  const Gradients gradients(gradient_block, network.layout(), gates);
  parallel_shards(shards, [&](int64_t shard, int index) {
    try {
      results[static_cast<std::size_t>(shard)] = run_shard(batch, shard, scale, gradients, workspace(index));
    } catch (...) {
      gates.turn_away_after(shard);
      throw;
    }
  });
  StepResult total;
  for (int64_t s = 0; s < shards; ++s) total.loss_sum += results[static_cast<std::size_t>(s)].loss_sum;
  return total;
}

TrainStep::TrainStep(const ModelConfig& config, int64_t max_batch, const StepOptions& options)
    : impl_(std::make_unique<Impl>(config, max_batch, options)) {}
TrainStep::~TrainStep() = default;
TrainStep::TrainStep(TrainStep&&) noexcept = default;

void TrainStep::pack(const ParameterBlock& weights) {
  impl_->network.pack(block_source(impl_->network.layout(), weights), true);
}

StepResult TrainStep::run(const Batch& batch, float scale, ParameterBlock& gradients) {
  return impl_->run(batch, scale, gradients);
}

}  // namespace vit
