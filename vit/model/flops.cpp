#include "vit/model/flops.h"

#include "vit/model/vit.h"

namespace vit {
namespace {

/// The operations of one image, stage by stage, and those of all but the last again.
struct NetworkFlops {
  Flops forward;
  StageFlops again;

  NetworkFlops(const ModelConfig& config, LastBlock last) {
    const Vit network(config, {.all_tokens = last == LastBlock::all_tokens});
    Shard shard;
    shard.images = 1;
    shard.tokens = network.tokens();
    forward.embedding = network.embedding().flops();
    forward.head = network.readout().flops(shard.tokens);
    for (const auto& stage : network.stages()) {
      const StageFlops own = stage->flops(shard);
      forward.linear += own.linear;
      forward.attention += own.attention;
      if (&stage != &network.stages().back()) {
        again.linear += own.linear;
        again.attention += own.attention;
        again.projected += own.projected;
      }
      shard = stage->leaving(shard);
    }
  }
};

}  // namespace

Flops forward_flops(const ModelConfig& config, LastBlock last) { return NetworkFlops(config, last).forward; }

Flops training_flops(const ModelConfig& config, Recompute recompute, LastBlock last) {
  const NetworkFlops network(config, last);
  const Flops& forward = network.forward;
  // Backward has two products for each of forward's: the gradients of the weights and of the inputs, which the pixels
  // need not. Attention has five for two, of which one are the scores again.
  Flops step{.embedding = 2 * forward.embedding,
             .linear = 3 * forward.linear,
             .attention = 3.5 * forward.attention,
             .head = 3 * forward.head};
  // The last block keeps all.
  if (recompute != Recompute::none) step.attention += network.again.attention;
  if (recompute == Recompute::attention) step.linear += network.again.projected;
  if (recompute == Recompute::block) step.linear += network.again.linear;
  return step;
}

}  // namespace vit
