// A run that takes a moment: a model of two blocks on 8 x 8 pictures.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>

#include "tests/support/memory_dataset.h"
#include "train/checkpoint.h"
#include "train/config.h"
#include "train/prepare.h"
#include "train/trainer.h"
#include "vit/core/error.h"

namespace vit::test {

inline TrainConfig small_config() {
  TrainConfig c;
  c.recipe = "small";
  c.model.name = "small";
  c.model.image_size = 8;
  c.model.patch_size = 4;
  c.model.width = 16;
  c.model.depth = 2;
  c.model.heads = 2;
  c.model.mlp_width = 32;
  c.model.classes = 0;
  c.preprocess.size = c.preprocess.resize_size = 8;
  c.augment.flip = 0.5f;
  c.augment.crop_padding = 1;
  c.epochs = 3;
  c.batch = 8;
  c.lr = 3e-3f;
  c.dropout = 0.1f;
  c.attention_dropout = 0.1f;
  c.drop_path = 0.1f;
  c.seed = 7;
  return c;
}

/// What RUN/last.h5 holds.
inline TrainState last_state(const std::filesystem::path& run) {
  return load_checkpoint(run / "last.h5", load_run_config(run));
}

/// 42 training pictures, so that the last batch of 8 is not full.
inline MemoryDataset small_data() { return MemoryDataset(8, 3, 42, 12); }

/// The message of the Error that `call` throws; the test fails when it throws none, or another kind.
template <class Call>
std::string error_of(ErrorKind kind, Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

inline testing::AssertionResult same_bits(const ParameterBlock& a, const ParameterBlock& b) {
  if (a.size() != b.size()) return testing::AssertionFailure() << a.size() << " and " << b.size() << " floats";
  for (int64_t i = 0; i < a.size(); ++i) {
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0) {
      return testing::AssertionFailure() << "first at " << i << ": " << a[i] << " and " << b[i];
    }
  }
  return testing::AssertionSuccess();
}

/// All that goes on into later steps and files; times may differ.
inline void expect_same_state(const TrainState& a, const TrainState& b) {
  EXPECT_TRUE(same_bits(a.model.weights, b.model.weights)) << "weights";
  EXPECT_TRUE(same_bits(a.raw, b.raw)) << "raw";
  ASSERT_EQ(a.optimizer.blocks.size(), b.optimizer.blocks.size());
  for (std::size_t i = 0; i < a.optimizer.blocks.size(); ++i) {
    EXPECT_EQ(a.optimizer.blocks[i].name, b.optimizer.blocks[i].name);
    EXPECT_TRUE(same_bits(a.optimizer.blocks[i].values, b.optimizer.blocks[i].values)) << a.optimizer.blocks[i].name;
  }
  EXPECT_EQ(a.optimizer.updates, b.optimizer.updates);
  EXPECT_EQ(a.model.class_names, b.model.class_names);
  EXPECT_EQ(a.model.preprocess, b.model.preprocess);
  const RunCounters& c = a.counters;
  const RunCounters& d = b.counters;
  EXPECT_EQ(c.epoch, d.epoch);
  EXPECT_EQ(c.step, d.step);
  EXPECT_EQ(c.batches, d.batches);
  EXPECT_EQ(c.loss_sum, d.loss_sum);
  EXPECT_EQ(c.images, d.images);
  EXPECT_EQ(c.images_seen, d.images_seen);
  EXPECT_EQ(c.epoch_nonfinite, d.epoch_nonfinite);
  EXPECT_EQ(c.nonfinite_steps, d.nonfinite_steps);
  EXPECT_EQ(c.nonfinite_in_a_row, d.nonfinite_in_a_row);
  EXPECT_EQ(c.best_value, d.best_value);
  EXPECT_EQ(c.best_epoch, d.best_epoch);
  EXPECT_EQ(c.epochs_without_better, d.epochs_without_better);
  ASSERT_EQ(c.history.size(), d.history.size());
  for (std::size_t i = 0; i < c.history.size(); ++i) {
    HistoryRow row = c.history[i];
    row.images_per_second = d.history[i].images_per_second;
    row.seconds = d.history[i].seconds;
    EXPECT_EQ(row, d.history[i]) << "epoch " << i + 1;
  }
}

}  // namespace vit::test
