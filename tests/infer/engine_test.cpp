#include "infer/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/support/caught_error.h"
#include "tests/support/run_again.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tolerance.h"
#include "vit/core/log.h"
#include "vit/core/parallel.h"
#include "vit/core/rng.h"
#include "vit/kernels/isa.h"

namespace vit {
namespace {

using test::expect_close;
using test::kBf16;
using test::kExact;
using test::kFp32;

/// 145 tokens: blocks cut their rows into several chunks. Layer scale, so that packing in inference is not the plain
/// one; weights large enough for answers that differ.
Model random_model(const std::string& pooling, int64_t image_size = 48) {
  ModelConfig c;
  c.name = "small";
  c.image_size = image_size;
  c.patch_size = 4;
  c.width = 32;
  c.depth = 3;
  c.heads = 2;
  c.mlp_width = 1024;
  c.classes = 7;
  c.pooling = pooling;
  c.layer_scale = true;
  Model model = make_model(c, 5);
  RandomStream random(5, RandomPurpose::test);
  for (const Parameter& p : model.layout.all())
    for (int64_t i = 0; i < p.count; ++i) {
      float& w = at(model.weights, p)[i];
      w = p.role.decay ? random.normal() / std::sqrt(static_cast<float>(p.count / p.shape[0]))
                       : w + random.uniform(-0.3f, 0.3f);
    }
  return model;
}

struct Answers {
  std::vector<float> logits, embeddings, attention;
};

/// `images` pictures of noise, always the same ones.
Answers answers(Engine& engine, int64_t images, decltype(&Engine::run) run = &Engine::run) {
  const ModelConfig& c = engine.config();
  AlignedBuffer<float> patches(images * c.patches() * c.patch_dim());
  RandomStream random(9, RandomPurpose::test);
  for (float& x : patches.span()) x = random.uniform(-1, 1);
  Answers out;
  out.logits.resize(static_cast<std::size_t>(images * c.classes));
  out.embeddings.resize(static_cast<std::size_t>(images * c.width));
  EngineOutputs outputs;
  outputs.logits = TensorView<float>(out.logits.data(), {images, c.classes});
  outputs.embeddings = TensorView<float>(out.embeddings.data(), {images, c.width});
  (engine.*run)(TensorView<const float>(patches.data(), {images, c.patches(), c.patch_dim()}), outputs);
  return out;
}

Answers answers(const Model& model, const EngineOptions& options, int threads, int64_t images) {
  set_thread_count(threads);
  Engine engine(model, options);
  Answers out = answers(engine, images);
  set_thread_count(0);
  return out;
}

void expect_same(const Answers& got, const Answers& want) {
  expect_close(got.logits, want.logits, kExact);
  expect_close(got.embeddings, want.embeddings, kExact);
}

class EngineBits : public testing::TestWithParam<std::tuple<const char*, DType>> {
 protected:
  void SetUp() override {
    if (product_isa() < Isa::avx512)
      GTEST_SKIP() << "rows of a product have their own bits with AVX-512 only: see EngineThreads";
    if (runnable_dtype(dtype) != dtype) GTEST_SKIP() << "this processor has no " << dtype_name(dtype) << " products";
  }
  const std::string pooling = std::get<0>(GetParam());
  const DType dtype = std::get<1>(GetParam());
};

TEST_P(EngineBits, DoNotDependOnModeAndThreads) {
  const Model model = random_model(pooling);
  for (const int64_t images : {1, 3}) {
    const Answers want = answers(model, {.dtype = dtype, .mode = EngineMode::throughput}, 1, images);
    for (const EngineMode mode : {EngineMode::throughput, EngineMode::latency, EngineMode::automatic})
      for (const int threads : {1, 2, 3}) {
        SCOPED_TRACE(testing::Message() << "mode " << static_cast<int>(mode) << ", " << threads << " threads, "
                                        << images << " images");
        expect_same(answers(model, {.dtype = dtype, .mode = mode}, threads, images), want);
      }
  }
}

// Five tokens: some of the team have the class token alone, some nothing.
TEST_P(EngineBits, DoNotDependOnATeamLargerThanTheImage) {
  const Model model = random_model(pooling, 8);
  const Answers want = answers(model, {.dtype = dtype, .mode = EngineMode::throughput}, 1, 2);
  for (const int threads : {2, 4, 5, 8})
    expect_same(answers(model, {.dtype = dtype, .mode = EngineMode::latency}, threads, 2), want);
}

TEST_P(EngineBits, DoNotDependOnTheMicroBatchAndEarlierRuns) {
  const Model model = random_model(pooling, 16);
  const Answers want = answers(model, {.dtype = dtype, .micro_batch = 1}, 1, 7);
  for (const int64_t micro_batch : {0, 2, 3, 7})
    expect_same(answers(model, {.dtype = dtype, .micro_batch = micro_batch}, 1, 7), want);
  set_thread_count(2);
  Engine engine(model, {.dtype = dtype});
  for (const int64_t images : {2, 7, 1, 7}) {
    const Answers got = answers(engine, images);
    expect_close(got.logits, std::vector<float>(want.logits.begin(), want.logits.begin() + images * 7), kExact);
  }
  set_thread_count(0);
}

INSTANTIATE_TEST_SUITE_P(Kinds, EngineBits,
                         testing::Combine(testing::Values("token", "avg"), testing::Values(DType::f32, DType::bf16)),
                         [](const auto& p) {
                           return std::string(std::get<0>(p.param) == std::string("avg") ? "mean_" : "token_") +
                                  std::string(dtype_name(std::get<1>(p.param)));
                         });

// Whatever the instruction set; a mode in which rows have bits of their own is not needed.
class EngineThreads : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Kinds, EngineThreads, testing::Values("token", "avg"),
                         [](const auto& p) { return p.param == std::string("avg") ? "mean" : "token"; });

TEST_P(EngineThreads, BatchesHaveTheSameBitsForAnyNumber) {
  const Model model = random_model(GetParam(), 24);
  for (const int64_t images : {1, 3, 7, 18}) {
    const auto with = [&](int threads) {
      set_thread_count(threads);
      Engine engine(model);
      Answers out = answers(engine, images, &Engine::run_batch);
      set_thread_count(0);
      return out;
    };
    const Answers want = with(1);
    for (const int threads : {2, 3, 5, 8}) {
      SCOPED_TRACE(testing::Message() << threads << " threads, " << images << " images");
      expect_same(with(threads), want);
    }
  }
}

TEST(EngineThreadsIsa, BatchesHaveTheSameBitsWithLessThanAvx512) {
  if (std::getenv(test::kChildVariable) != nullptr) GTEST_SKIP() << "run by the parent only";
  EXPECT_EQ(test::run_again("baseline", "*EngineThreads.*"), 0);
  if (detected_isa() < Isa::avx2) GTEST_SKIP() << "this processor has no AVX2";
  EXPECT_EQ(test::run_again("avx2", "*EngineThreads.*"), 0);
}

class EnginePooling : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Kinds, EnginePooling, testing::Values("token", "avg"),
                         [](const auto& p) { return p.param == std::string("avg") ? "mean" : "token"; });

// With maps the last block computes all tokens, else the class token's row alone.
TEST_P(EnginePooling, MapsDoNotChangeTheLogits) {
  const Model model = random_model(GetParam());
  const Answers want = answers(model, {.attention_maps = true}, 1, 3);
  for (const EngineMode mode : {EngineMode::throughput, EngineMode::latency}) {
    const Answers got = answers(model, {.mode = mode}, 2, 3);
    expect_close(got.logits, want.logits, kFp32);
    expect_close(got.embeddings, want.embeddings, kFp32);
  }
}

TEST_P(EnginePooling, Bf16IsNearFp32) {
  if (runnable_dtype(DType::bf16) != DType::bf16) GTEST_SKIP() << "this processor has no bf16 products";
  const Model model = random_model(GetParam());
  const Answers want = answers(model, {}, 1, 3);
  const Answers got = answers(model, {.dtype = DType::bf16}, 1, 3);
  expect_close(got.logits, want.logits, kBf16);
  EXPECT_NE(got.logits, want.logits);
}

TEST_P(EnginePooling, TakesItsWeightsFromAFile) {
  const test::TempDir dir;
  Model model = random_model(GetParam(), 16);
  model.class_names.assign(7, "");
  for (std::size_t i = 0; i < 7; ++i) model.class_names[i] = std::string(1, static_cast<char>('a' + i));
  save_model(dir.path() / "m.h5", model);
  const OpenModel open = open_model(dir.path() / "m.h5");
  for (const DType dtype : {DType::f32, fastest_dtype(false)}) {
    Engine engine(open.model, open.weights, {.dtype = dtype});
    expect_same(answers(engine, 2), answers(model, {.dtype = dtype}, 0, 2));
  }
}

TEST(Engine, FileWithAValueThatIsNotFiniteIsAnError) {
  const test::TempDir dir;
  Model model = random_model("token", 8);
  at(model.weights, *model.layout.find("blocks.2.mlp.fc2.bias"))[3] = HUGE_VALF;
  save_model(dir.path() / "m.h5", model);
  const OpenModel open = open_model(dir.path() / "m.h5");
  const std::string error = test::error_of(ErrorKind::data, [&] { Engine(open.model, open.weights); });
  EXPECT_TRUE(test::holds(error, {"blocks.2.mlp.fc2.bias", "not finite"}));
}

TEST(Engine, AttentionIsToBeAskedForAtTheStart) {
  const Model model = random_model("token", 8);
  const ModelConfig& c = model.config;
  const int64_t maps = c.depth * c.heads, entries = c.tokens().count() * c.tokens().count();
  std::vector<float> patches(static_cast<std::size_t>(c.patches() * c.patch_dim()), 0.5f);
  std::vector<float> attention(static_cast<std::size_t>(maps * entries));
  const TensorView<const float> input(patches.data(), {1, c.patches(), c.patch_dim()});
  EngineOutputs outputs;
  outputs.attention = TensorView<float>(attention.data(), {1, maps, entries});
  Engine without(model), with(model, {.attention_maps = true});
  const std::string error = test::error_of(ErrorKind::internal, [&] { without.run(input, outputs); });
  EXPECT_TRUE(test::holds(error, {"attention_maps"}));
  with.run(input, outputs);
  for (int64_t row = 0; row < maps * c.tokens().count(); ++row) {
    double sum = 0;
    for (int64_t k = 0; k < c.tokens().count(); ++k)
      sum += double{attention[static_cast<std::size_t>(row * c.tokens().count() + k)]};
    EXPECT_NEAR(sum, 1, 1e-5) << row;
  }
}

// ---- arithmetic that the processor lacks ----

TEST(EngineIsa, FallsBackToFp32WithoutInstructions) {
  if (std::getenv(test::kChildVariable) != nullptr) GTEST_SKIP() << "run by the parent only";
  if (detected_isa() < Isa::avx2) GTEST_SKIP() << "this processor has no AVX2";
  EXPECT_EQ(test::run_again("avx2", "EngineIsaChild.*"), 0);
}

TEST(EngineIsaChild, Bf16IsFp32WithAWarning) {
  if (std::getenv(test::kChildVariable) == nullptr) GTEST_SKIP() << "run by EngineIsa";
  ASSERT_EQ(active_isa(), Isa::avx2);
  EXPECT_EQ(fastest_dtype(false), DType::f32);
  const Model model = random_model("token", 16);
  std::vector<std::string> warnings;
  set_log_sink([&](LogLevel level, std::string_view text) {
    if (level == LogLevel::warning) warnings.emplace_back(text);
  });
  Engine fp32(model), bf16(model, {.dtype = DType::bf16});
  set_log_sink({});
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_TRUE(test::holds(warnings[0], {"bf16", "fp32"}));
  EXPECT_EQ(bf16.dtype(), DType::f32);
  set_thread_count(1);
  expect_same(answers(bf16, 2), answers(fp32, 2));
}

}  // namespace
}  // namespace vit
