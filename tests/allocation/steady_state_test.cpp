// Once warm, a training step and an inference run take no memory but two short lists, named below: all calls of
// operator new and aligned_alloc are counted that come from this project's code, which is linked into this program, or
// from the standard library for it. What oneDNN, TBB and OpenMP allocate inside their own libraries is not seen.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <new>
#include <sstream>
#include <string_view>
#include <vector>

#include "infer/engine.h"
#include "train/optimizer.h"
#include "train/train_step.h"
#include "vit/core/parallel.h"

namespace {

/// Filled while `on`; places are of the callers in this program, for addr2line.
struct Counts {
  std::atomic<bool> on{false};
  std::atomic<std::size_t> calls{0}, bytes{0};
  std::array<std::atomic<std::size_t>, 8> places{};
};
Counts counts;

bool foreign(const char* library) {
  const std::string_view name(library);
  for (const char* other : {"libdnnl", "libtbb", "libgomp"})
    if (name.find(other) != std::string_view::npos) return true;
  return false;
}

void count(std::size_t bytes, const void* caller) {
  if (!counts.on.load(std::memory_order_relaxed)) return;
  Dl_info info{};
  if (dladdr(caller, &info) == 0 || info.dli_fname == nullptr || foreign(info.dli_fname)) return;
  const std::size_t call = counts.calls++;
  counts.bytes += bytes;
  const auto place = static_cast<const char*>(caller) - static_cast<const char*>(info.dli_fbase);
  if (call < counts.places.size()) counts.places[call] = static_cast<std::size_t>(place);
}

void* take(std::size_t bytes, std::size_t alignment, const void* caller) {
  count(bytes, caller);
  void* p = nullptr;
  if (posix_memalign(&p, alignment, bytes) != 0) throw std::bad_alloc();
  return p;
}

}  // namespace

void* operator new(std::size_t bytes) { return take(bytes, 16, __builtin_return_address(0)); }
void* operator new[](std::size_t bytes) { return take(bytes, 16, __builtin_return_address(0)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return take(bytes, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return take(bytes, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

extern "C" void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  count(bytes, __builtin_return_address(0));
  void* p = nullptr;
  return posix_memalign(&p, alignment, bytes) == 0 ? p : nullptr;
}

namespace vit {
namespace {

/// Passes when `body` allocates so often; says else where the first ones were asked for.
template <class Body>
testing::AssertionResult allocates(std::size_t calls, Body body) {
  counts.calls = counts.bytes = 0;
  counts.on = true;
  body();
  counts.on = false;
  if (counts.calls == calls) return testing::AssertionSuccess();
  std::ostringstream places;
  for (std::size_t i = 0; i < std::min(counts.calls.load(), counts.places.size()); ++i)
    places << " 0x" << std::hex << counts.places[i];
  return testing::AssertionFailure() << counts.calls << " allocations of " << counts.bytes
                                     << " bytes; addr2line -Cfe of this program:" << places.str();
}

/// The same for one of some runs: which thread takes which shard is chance, and a thread that meets a product for the
/// first time prepares it. What every run allocates is seen all the same.
template <class Body>
testing::AssertionResult allocates_when_warm(std::size_t calls, Body body) {
  testing::AssertionResult result = testing::AssertionFailure();
  for (int run = 0; run < 50 && !result; ++run) {
    body();
    result = allocates(calls, body);
  }
  return result;
}

/// `kind`: a pooling, or "norms": a model with a norm wherever there may be one.
ModelConfig config(const std::string& kind) {
  ModelConfig c;
  c.image_size = 16;
  c.patch_size = 4;
  c.width = 32;
  c.depth = 3;
  c.heads = 2;
  c.mlp_width = 64;
  c.classes = 5;
  c.pooling = kind == "norms" ? "avg" : kind;
  c.layer_scale = true;
  if (kind == "token_avg") c.readout_layers = 2;
  if (kind != "norms") return c;
  c.patch_norm = c.pre_norm = c.attention_norm = c.mlp_norm = true;
  c.final_norm = FinalNorm::before;
  return c;
}

TEST(Counting, SeesBothKinds) {
  std::vector<int>* vector = nullptr;
  EXPECT_TRUE(allocates(2, [&] { vector = new std::vector<int>(100); }));
  delete vector;
  EXPECT_TRUE(allocates(1, [] { const AlignedBuffer<float> buffer(100); }));
  EXPECT_TRUE(allocates(0, [] {}));
}

class SteadyState : public testing::TestWithParam<std::tuple<int, const char*, DType>> {
 protected:
  void SetUp() override {
    if (runnable_dtype(dtype) != dtype) GTEST_SKIP() << "this processor has no " << dtype_name(dtype) << " products";
    set_thread_count(std::get<0>(GetParam()));
  }
  void TearDown() override { set_thread_count(0); }

  static constexpr int64_t kImages = 16;
  const DType dtype = std::get<2>(GetParam());
  const Model model = make_model(config(std::get<1>(GetParam())), 1);
  const AlignedBuffer<float> patches{kImages * model.config.patches() * model.config.patch_dim()};
  TensorView<const float> input(int64_t images) const {
    return {patches.data(), {images, model.config.patches(), model.config.patch_dim()}};
  }
};

TEST_P(SteadyState, TrainingStep) {
  StepOptions options;
  options.dtype = dtype;
  options.dropout = options.attention_dropout = options.drop_path = 0.1f;
  TrainStep step(model.config, kImages, options);
  const Optimizer optimizer(model.layout, {});
  OptimizerState state = optimizer.make_state();
  ParameterBlock weights(model.weights.size()), gradients(model.weights.size());
  std::ranges::copy(model.weights.span(), weights.data());
  const std::vector<int32_t> labels(kImages);
  TrainStep::Batch batch;
  batch.patches = input(kImages);
  batch.targets.labels = labels.data();
  const auto once = [&] {
    step.pack(weights);
    step.run(batch, 1, gradients);
    optimizer.step(1e-3f, 1, gradients, weights, state);
  };
  EXPECT_TRUE(allocates_when_warm(1, once));  // the partial sums of the gradients' norm
}

TEST_P(SteadyState, Inference) {
  for (const EngineMode mode : {EngineMode::throughput, EngineMode::latency}) {
    Engine engine(model, {.dtype = dtype, .mode = mode});
    std::vector<float> logits(static_cast<std::size_t>(kImages * model.config.classes));
    for (const int64_t images : {kImages, int64_t{1}}) {
      EngineOutputs outputs;
      outputs.logits = TensorView<float>(logits.data(), {images, model.config.classes});
      const auto once = [&] { engine.run(input(images), outputs); };
      // A team's phases keep a list of the parts begun, for each image.
      const bool team = mode == EngineMode::latency && thread_count() > 1;
      EXPECT_TRUE(allocates_when_warm(team ? static_cast<std::size_t>(images) : 0, once))
          << images << " images, mode " << static_cast<int>(mode);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, SteadyState,
                         testing::Combine(testing::Values(1, 2),
                                          testing::Values("token", "avg", "map", "token_avg", "norms"),
                                          testing::Values(DType::f32, DType::bf16)),
                         [](const auto& p) {
                           const std::string kind = std::get<1>(p.param);
                           return std::to_string(std::get<0>(p.param)) + "_" + (kind == "avg" ? "mean" : kind) + "_" +
                                  std::string(dtype_name(std::get<2>(p.param)));
                         });

}  // namespace
}  // namespace vit
