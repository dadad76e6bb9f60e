#include "infer/engine.h"

#include <algorithm>
#include <vector>

#include "vit/core/parallel.h"
#include "vit/model/vit.h"

namespace vit {
namespace {

/// One thread's memory.
struct Worker {
  Arena arena;
  InferenceWorkspace workspace;
};

int64_t arena_bytes(const Vit& network, int64_t images) {
  Arena plan;
  network.plan_inference(plan, images);
  return plan.peak();
}

ParameterBlock copy_of(const ParameterBlock& block) {
  ParameterBlock copy(block.size());
  std::copy_n(block.data(), block.size(), copy.data());
  return copy;
}

}  // namespace

struct Engine::Impl {
  Impl(const Model& model, const EngineOptions& options);
  void run(TensorView<const float> patches, const EngineOutputs& outputs);
  void run_shard(TensorView<const float> patches, const EngineOutputs& outputs, int64_t begin, int64_t images,
                 const InferenceWorkspace& workspace) const;
  const InferenceWorkspace& workspace(int worker);

  Vit network;
  ParameterBlock weights;
  int64_t micro_batch;
  std::vector<std::unique_ptr<Worker>> workers;
};

Engine::Impl::Impl(const Model& model, const EngineOptions& options)
    : network(model.config), weights(copy_of(model.weights)) {
  if (options.dtype != DType::f32) fail(ErrorKind::usage, "[engine] dtype needs fp32, has ", dtype_name(options.dtype));
  micro_batch = options.micro_batch > 0 ? options.micro_batch : default_micro_batch(model.config);
  network.pack(weights, false);
}

const InferenceWorkspace& Engine::Impl::workspace(int index) {
  std::unique_ptr<Worker>& worker = workers[static_cast<std::size_t>(index)];
  if (!worker) {
    worker = std::make_unique<Worker>();
    worker->arena = Arena(arena_bytes(network, micro_batch));
    worker->workspace = network.plan_inference(worker->arena, micro_batch);
  }
  return worker->workspace;
}

void Engine::Impl::run_shard(TensorView<const float> patches, const EngineOutputs& outputs, int64_t begin,
                             int64_t images, const InferenceWorkspace& w) const {
  const ModelConfig& config = network.config();
  Shard shard;
  shard.images = images;
  shard.tokens = config.tokens();
  const TensorView<const float> rows(patches[begin].data(), {images * config.patches(), config.patch_dim()});
  const auto part = [&](TensorView<float> out) { return out ? out.slice(begin, images) : out; };
  network.forward(rows, shard, w, part(outputs.logits), part(outputs.attention));
  if (outputs.embeddings) std::copy_n(w.head.features.data(), images * config.width, outputs.embeddings[begin].data());
}

void Engine::Impl::run(TensorView<const float> patches, const EngineOutputs& outputs) {
  const int64_t images = patches.dim(0);
  workers.resize(std::max(workers.size(), static_cast<std::size_t>(thread_count())));
  // A batch smaller than a micro-batch a thread is still shared by all threads.
  const int64_t threads = thread_count();
  const int64_t piece = std::clamp<int64_t>((images + threads - 1) / threads, 1, micro_batch);
  parallel_shards((images + piece - 1) / piece, [&](int64_t shard, int worker) {
    const int64_t begin = shard * piece;
    run_shard(patches, outputs, begin, std::min(piece, images - begin), workspace(worker));
  });
}

Engine::Engine(const Model& model, const EngineOptions& options) : impl_(std::make_unique<Impl>(model, options)) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;

const ModelConfig& Engine::config() const { return impl_->network.config(); }

void Engine::run(TensorView<const float> patches, const EngineOutputs& outputs) { impl_->run(patches, outputs); }

}  // namespace vit
