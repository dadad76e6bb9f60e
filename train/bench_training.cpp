#include "train/bench_training.h"

#include <vector>

#include "train/optimizer.h"
#include "train/train_step.h"
#include "vit/core/error.h"
#include "vit/core/rng.h"
#include "vit/model/flops.h"
#include "vit/model/model_file.h"

namespace vit {

BenchResult bench_training(const ModelConfig& config, const StepOptions& step_options, int64_t batch,
                           const BenchOptions& bench_options) {
  if (batch < 1) fail(ErrorKind::usage, "[bench] batch: needs at least 1, has ", batch);
  if (config.classes < 1)
    fail(ErrorKind::usage, "[bench] training needs a model with a head, ", config.name, " has none");
  Model model = make_model(config, 0);
  TrainStep step(config, batch, step_options);
  const Optimizer optimizer(model.layout, {.weight_decay = 0.05f, .clip_norm = 1});
  OptimizerState state = optimizer.make_state();
  ParameterBlock gradients(model.layout.block_size());

  RandomStream random(0, RandomPurpose::test);
  AlignedBuffer<float> patches(batch * config.patches() * config.patch_dim());
  for (float& x : patches.span()) x = random.uniform(-1, 1);
  std::vector<int32_t> labels(static_cast<std::size_t>(batch));
  for (int32_t& label : labels) label = static_cast<int32_t>(random.below(static_cast<uint64_t>(config.classes)));
  TrainStep::Batch inputs{.patches = {patches.data(), {batch, config.patches(), config.patch_dim()}},
                          .targets = {.labels = labels.data()}};

  step.pack(model.weights);
  BenchOptions options = bench_options;
  options.images_per_step = batch;
  options.flops_per_image = training_flops(config, step_options.recompute).total();
  options.flops_per_image_all_tokens = training_flops(config, step_options.recompute, LastBlock::all_tokens).total();
  return measure(options, [&] {
    step.run(inputs, 1.0f / static_cast<float>(batch), gradients);
    {
      const ProfileScope profile("AdamW");
      optimizer.step(1e-4f, 1, gradients, model.weights, state);
      clear(gradients);
    }
    const ProfileScope profile("packing");
    step.pack(model.weights);
    ++inputs.step;
  });
}

}  // namespace vit
