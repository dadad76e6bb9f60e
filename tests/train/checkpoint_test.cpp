#include "train/checkpoint.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "tests/support/temp_dir.h"
#include "tests/train/small_run.h"
#include "vit/core/rng.h"
#include "vit/io/atomic_file.h"
#include "vit/io/hdf5.h"

namespace vit {
namespace {

using test::error_of;
using test::TempDir;

ParameterBlock random_block(const ParameterLayout& layout, uint64_t key) {
  ParameterBlock block(layout.block_size());
  RandomStream random(1, RandomPurpose::test, key);
  for (const Parameter& p : layout.all()) {
    for (int64_t i = 0; i < p.count; ++i) at(block, p)[i] = random.normal();
  }
  return block;
}

TrainConfig resolved_config(float ema_decay) {
  TrainConfig config = test::small_config();
  config.ema_decay = ema_decay;
  return resolve(config, test::small_data());
}

TrainState some_state(const TrainConfig& config) {
  TrainState state;
  state.model = make_initial_model(config, test::small_data());
  state.model.training = {{"config", to_json(config)}};
  const ParameterLayout& layout = state.model.layout;
  state.model.weights = random_block(layout, 1);
  if (config.ema_decay > 0) state.raw = random_block(layout, 2);
  state.optimizer.blocks.push_back({"m", random_block(layout, 3)});
  state.optimizer.blocks.push_back({"v", random_block(layout, 4)});
  state.optimizer.updates = 9;
  RunCounters& c = state.counters;
  c.epoch = 2;
  c.step = 11;
  c.batches = 3;
  c.loss_sum = 1.0 / 3;
  c.images = 24;
  c.images_seen = 25;
  c.epoch_nonfinite = 1;
  c.train_seconds = 0.1;
  c.nonfinite_steps = 2;
  c.nonfinite_in_a_row = 1;
  c.best_value = 2.0 / 3;
  c.best_epoch = 1;
  c.epochs_without_better = 1;
  c.history = {{.epoch = 1, .step = 6, .lr = 0.1f, .train_loss = 0.7, .val_loss = {}, .val_top1 = 2.0 / 3},
               {.epoch = 2, .step = 10, .lr = 0.2f, .train_loss = {}, .val_loss = 0.3, .val_top1 = 0.5}};
  return state;
}

TEST(Checkpoint, ComesBackBitForBit) {
  for (float ema_decay : {0.0f, 0.9f}) {
    const TempDir folder;
    const TrainConfig config = resolved_config(ema_decay);
    const TrainState state = some_state(config);
    save_checkpoint(folder / "last.h5", state);
    const TrainState back = load_checkpoint(folder / "last.h5", config);
    test::expect_same_state(state, back);
    EXPECT_EQ(back.counters.train_seconds, 0.1);
    EXPECT_EQ(back.counters.history.at(1).val_loss, 0.3);
  }
}

TEST(Checkpoint, IsAModelFile) {
  const TempDir folder;
  const TrainConfig config = resolved_config(0.9f);
  const TrainState state = some_state(config);
  save_checkpoint(folder / "last.h5", state);
  const Model model = load_model(folder / "last.h5");
  EXPECT_TRUE(test::same_bits(model.weights, state.model.weights));
}

TEST(Checkpoint, AnotherConfigIsRefusedByFieldName) {
  const TempDir folder;
  const TrainConfig config = resolved_config(0);
  save_checkpoint(folder / "last.h5", some_state(config));
  const auto refusal = [&](const TrainConfig& other) {
    return error_of(ErrorKind::data, [&] { load_checkpoint(folder / "last.h5", other); });
  };
  TrainConfig other = config;
  other.batch = 16;
  EXPECT_NE(refusal(other).find("batch: needs 16, has 8 in "), std::string::npos) << refusal(other);
  EXPECT_NE(refusal(other).find("last.h5"), std::string::npos);
  other = config;
  other.augment.flip = 0;
  EXPECT_NE(refusal(other).find("augment.flip"), std::string::npos) << refusal(other);
  other = config;
  other.model.depth = 3;
  EXPECT_NE(refusal(other).find("model.depth: needs 3, has 2"), std::string::npos) << refusal(other);
  other = config;
  other.optimizer = "sgd";  // a field that files leave out
  EXPECT_NE(refusal(other).find("optimizer: needs \"sgd\", has \"adamw\""), std::string::npos) << refusal(other);
  other = config;
  other.save_every_steps = 5;
  EXPECT_NO_THROW(load_checkpoint(folder / "last.h5", other));
}

TEST(Checkpoint, APlainModelIsNotOne) {
  const TempDir folder;
  const TrainConfig config = resolved_config(0);
  save_model(folder / "best.h5", some_state(config).model);
  const std::string message = error_of(ErrorKind::data, [&] { load_checkpoint(folder / "best.h5", config); });
  EXPECT_NE(message.find("/checkpoint/counters"), std::string::npos) << message;
}

/// Writes a checkpoint in which something is wrong and returns the message.
template <class Change>
std::string message_for(Change&& change) {
  const TempDir folder;
  const TrainConfig config = resolved_config(0);
  TrainState state = some_state(config);
  change(state);
  save_checkpoint(folder / "last.h5", state);
  return error_of(ErrorKind::data, [&] { load_checkpoint(folder / "last.h5", config); });
}

TEST(Checkpoint, WrongCountersAreNamed) {
  EXPECT_NE(message_for([](TrainState& s) { s.counters.epoch = 99; }).find("epoch: needs at most 3"),
            std::string::npos);
  EXPECT_NE(message_for([](TrainState& s) { s.counters.batches = -1; }).find("batches"), std::string::npos);
  EXPECT_NE(message_for([](TrainState& s) { s.optimizer.updates = 12; }).find("updates"), std::string::npos);
  EXPECT_NE(message_for([](TrainState& s) { s.counters.loss_sum = std::nan(""); }).find("loss_sum"), std::string::npos);
  EXPECT_NE(message_for([](TrainState& s) { s.counters.history.pop_back(); }).find("history"), std::string::npos);
  EXPECT_NE(message_for([](TrainState& s) { s.counters.history[0].step = -3; }).find("step"), std::string::npos);
  EXPECT_NE(message_for([](TrainState& s) { s.model.training = nullptr; }).find("last.h5"), std::string::npos);
  EXPECT_NE(message_for([](TrainState& s) { s.model.training["config"] = 3; }).find("config"), std::string::npos);
}

TEST(Checkpoint, MomentsOfAnotherShapeAreNamed) {
  const TempDir folder;
  const TrainConfig config = resolved_config(0);
  const TrainState state = some_state(config);
  const std::vector<float> one{1};
  {
    h5::File file = h5::File::create(folder / "last.h5");
    write_model(file, state.model);
    for (const char* group : {"/optimizer/m/", "/optimizer/v/"}) {
      for (const Parameter& p : state.model.layout.all()) {
        if (p.name == "head.bias") {
          file.write(group + p.name, {1}, std::span<const float>(one));
        } else {
          file.write(group + p.name, p.shape,
                     std::span<const float>(at(state.optimizer.block("m"), p), static_cast<std::size_t>(p.count)));
        }
      }
    }
    save_checkpoint(folder / "good.h5", state);
    file.write_text("/checkpoint/counters", h5::File::open(folder / "good.h5").read_text("/checkpoint/counters"));
    file.close();
  }
  const std::string message = error_of(ErrorKind::data, [&] { load_checkpoint(folder / "last.h5", config); });
  EXPECT_NE(message.find("/optimizer/m/head.bias"), std::string::npos) << message;
  EXPECT_NE(message.find("shape 3"), std::string::npos) << message;
}

/// No cut and no flipped byte may crash; where the file still opens, its numbers are right.
TEST(Checkpoint, DamagedFilesAreErrors) {
  const TempDir folder;
  const TrainConfig config = resolved_config(0);
  const TrainState state = some_state(config);
  save_checkpoint(folder / "last.h5", state);
  const std::string bytes = read_file(folder / "last.h5", int64_t{1} << 30);
  const auto write = [&](const std::string& changed) {
    std::ofstream(folder / "bad.h5", std::ios::binary)
        .write(changed.data(), static_cast<std::streamsize>(changed.size()));
  };
  for (std::size_t part = 0; part < 24; ++part) {
    write(bytes.substr(0, bytes.size() * part / 24));
    EXPECT_THROW(load_checkpoint(folder / "bad.h5", config), Error) << part << " of 24 parts";
  }
  RandomStream random(3, RandomPurpose::test);
  for (int i = 0; i < 60; ++i) {
    std::string changed = bytes;
    changed[random.below(bytes.size())] ^= static_cast<char>(1u << random.below(8));
    write(changed);
    try {
      const TrainState back = load_checkpoint(folder / "bad.h5", config);
      EXPECT_TRUE(test::same_bits(back.optimizer.block("m"), state.optimizer.block("m")));
      EXPECT_TRUE(test::same_bits(back.model.weights, state.model.weights));
    } catch (const Error&) {
    }
  }
}

TEST(Checkpoint, FirstDifferenceNamesThePath) {
  const auto json = [](const char* text) { return nlohmann::json::parse(text); };
  EXPECT_EQ(first_difference(json(R"({"a": 1, "b": {"c": [1, 2]}})"), json(R"({"a": 1, "b": {"c": [1, 2]}})")), "");
  EXPECT_EQ(first_difference(json(R"({"b": {"c": [1]}})"), json(R"({"b": {"c": [2]}})")), "b.c: needs [1], has [2]");
  EXPECT_EQ(first_difference(json(R"({"a": 1})"), json("{}")), "a: is missing");
  EXPECT_EQ(first_difference(json("{}"), json(R"({"a": 1})")), "a: unknown field");
  EXPECT_EQ(first_difference(json(R"({"a": {"b": 1}})"), json(R"({"a": 1})")), "a: needs {\"b\":1}, has 1");
}

}  // namespace
}  // namespace vit
