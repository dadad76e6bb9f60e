#include "infer/engine.h"

#include <algorithm>
#include <vector>

#include "vit/core/cpu.h"
#include "vit/core/log.h"
#include "vit/core/parallel.h"
#include "vit/kernels/isa.h"
#include "vit/kernels/product_fault.h"
#include "vit/model/vit.h"

namespace vit {
DType fastest_dtype(bool quantized) {
  if (quantized && runnable_dtype(DType::i8) == DType::i8) return DType::i8;
  return runnable_dtype(DType::bf16);
}

std::string dtype_fault(DType wanted) {
  const Isa needed = wanted == DType::f32 ? Isa::baseline : wanted == DType::bf16 ? Isa::avx512_bf16 : Isa::avx512;
  if (active_isa() < needed)
    return concat("needs the instruction set ", isa_name(needed), ", in use is ", isa_name(active_isa()));
  return product_fault(wanted);
}

DType runnable_dtype(DType wanted) { return dtype_fault(wanted).empty() ? wanted : DType::f32; }

bool product_rows_stand_alone() { return product_isa() >= Isa::avx512; }

struct Engine::Impl {
  Impl(const Model& model, const ParameterSource& weights, const EngineOptions& engine_options);
  void run(TensorView<const float> patches, const EngineOutputs& outputs, bool team_allowed);
  bool as_team(int64_t images) const;
  void run_team(TensorView<const float> patches, const EngineOutputs& outputs);
  void run_shards(TensorView<const float> patches, const EngineOutputs& outputs);
  void copy_features(const State& readout, int64_t images, const EngineOutputs& outputs, int64_t begin) const;
  void run_shard(TensorView<const float> patches, const EngineOutputs& outputs, int64_t begin, int64_t images,
                 const InferenceWorkspace& workspace) const;

  EngineOptions options;
  Vit network;
  int64_t micro_batch;
  int64_t planned_images = 0;  // a worker's workspace holds so many
  std::vector<std::unique_ptr<Planned<InferenceWorkspace>>> workers;
  std::unique_ptr<Planned<TeamWorkspace>> team;
};

Engine::Impl::Impl(const Model& model, const ParameterSource& weights, const EngineOptions& engine_options)
    : options(engine_options),
      network(model.config, {.dtype = runnable_dtype(options.dtype), .all_tokens = options.attention_maps}),
      micro_batch(options.micro_batch > 0 ? options.micro_batch : default_micro_batch(model.config)) {
  if (options.dtype == DType::i8 && model.quantization.empty())
    fail(ErrorKind::usage, "[engine] int8 needs a quantised model: make one with `vit model quantize`");
  if (network.dtype() != options.dtype)
    log(LogLevel::warning, concat("no ", dtype_name(options.dtype), " here (", dtype_fault(options.dtype),
                                  "): computing in ", dtype_name(network.dtype())));
  network.pack(weights, false, input_scale_of(model.quantization, network.layout()), options.observe);
}

void Engine::Impl::run_shard(TensorView<const float> patches, const EngineOutputs& outputs, int64_t begin,
                             int64_t images, const InferenceWorkspace& w) const {
  const ModelConfig& config = network.config();
  Shard shard;
  shard.images = images;
  shard.tokens = network.tokens();
  const TensorView<const float> rows(patches[begin].data(), {images * config.patches(), config.patch_dim()});
  const auto part = [&](TensorView<float> out) { return out ? out.slice(begin, images) : out; };
  network.forward(rows, shard, w, part(outputs.logits), part(outputs.attention));
  if (outputs.embeddings) copy_features(w.readout, images, outputs, begin);
}

void Engine::Impl::copy_features(const State& readout, int64_t images, const EngineOutputs& outputs,
                                 int64_t begin) const {
  const TensorView<float> features = network.readout().features(readout);
  std::copy_n(features.data(), images * features.cols(), outputs.embeddings[begin].data());
}

void Engine::Impl::run_shards(TensorView<const float> patches, const EngineOutputs& outputs) {
  const int64_t images = patches.dim(0), threads = thread_count();
  // A batch smaller than a micro-batch a thread is still shared by all threads. The size of a piece must not follow the
  // number of threads where it has a part in the bits.
  constexpr int64_t kFixedPieces = 8;
  const int64_t pieces = product_rows_stand_alone() ? threads : kFixedPieces;
  const int64_t piece = std::clamp<int64_t>((images + pieces - 1) / pieces, 1, micro_batch);
  if (piece > planned_images) workers.clear();
  planned_images = std::max(planned_images, piece);
  workers.resize(std::max(workers.size(), static_cast<std::size_t>(threads)));
  parallel_shards((images + piece - 1) / piece, [&](int64_t shard, int index) {
    auto& worker = workers[static_cast<std::size_t>(index)];
    if (!worker)
      worker = std::make_unique<Planned<InferenceWorkspace>>(
          [&](Arena& arena) { return network.plan_inference(arena, planned_images); });
    const int64_t begin = shard * piece;
    run_shard(patches, outputs, begin, std::min(piece, images - begin), worker->workspace);
  });
}

void Engine::Impl::run_team(TensorView<const float> patches, const EngineOutputs& outputs) {
  const int parts = static_cast<int>(std::min<int64_t>(thread_count(), network.tokens().count()));
  if (!team || static_cast<int>(team->workspace.parts.front().size()) != parts)
    team = std::make_unique<Planned<TeamWorkspace>>([&](Arena& arena) { return network.plan_team(arena, parts); });
  const TeamWorkspace& w = team->workspace;
  for (int64_t image = 0; image < patches.dim(0); ++image) {
    const TensorView<float> logits = outputs.logits ? outputs.logits.slice(image, 1) : outputs.logits;
    parallel_phases(network.team_phases(), parts,
                    [&](int phase, int part) { network.forward_part(phase, part, patches[image], w, logits); });
    if (outputs.embeddings) copy_features(w.readout, 1, outputs, image);
  }
}

bool Engine::Impl::as_team(int64_t images) const {
  const int64_t threads = thread_count();
  if (options.mode == EngineMode::throughput || options.attention_maps || threads == 1 || !network.for_teams())
    return false;
  if (options.mode == EngineMode::latency) return true;
  // Throughput leaves threads idle in its last round; a team loses some tenth at its meetings.
  const int64_t rounds = (images + threads - 1) / threads;
  return 11 * images < 10 * rounds * threads;
}

void Engine::Impl::run(TensorView<const float> patches, const EngineOutputs& outputs, bool team_allowed) {
  if (outputs.attention && !options.attention_maps)
    fail(ErrorKind::internal, "[engine] attention needs EngineOptions::attention_maps");
  if (team_allowed && as_team(patches.dim(0)))
    run_team(patches, outputs);
  else
    run_shards(patches, outputs);
}

Engine::Engine(const Model& model, const ParameterSource& weights, const EngineOptions& options)
    : impl_(std::make_unique<Impl>(model, weights, options)) {}
Engine::Engine(const Model& model, const EngineOptions& options)
    : Engine(model, block_source(model.layout, model.weights), options) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;

const ModelConfig& Engine::config() const { return impl_->network.config(); }
DType Engine::dtype() const { return impl_->network.dtype(); }

void Engine::run(TensorView<const float> patches, const EngineOutputs& outputs) { impl_->run(patches, outputs, true); }
void Engine::run_batch(TensorView<const float> patches, const EngineOutputs& outputs) {
  impl_->run(patches, outputs, product_rows_stand_alone());
}

}  // namespace vit
