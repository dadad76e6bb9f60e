#include "train/trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <fstream>

#include "tests/support/run_again.h"
#include "tests/support/temp_dir.h"
#include "tests/train/small_run.h"
#include "vit/core/cpu.h"
#include "vit/core/parallel.h"
#include "vit/io/atomic_file.h"

namespace vit {
namespace {

using test::error_of;
using test::last_state;
using test::MemoryDataset;
using test::small_config;
using test::small_data;
using test::TempDir;

TEST(Trainer, LearnsAndWritesEveryFile) {
  const TempDir folder;
  TrainConfig config = small_config();
  config.epochs = 16;
  config.augment = {};
  config.dropout = config.attention_dropout = config.drop_path = 0;
  std::vector<HistoryRow> rows;
  TrainOptions options;
  options.source = "stripes";
  options.version = "1.2.3";
  options.on_epoch = [&rows](const HistoryRow& row) { rows.push_back(row); };
  const MemoryDataset data = small_data();
  const TrainSummary summary = train(config, data, folder / "run", options);

  EXPECT_FALSE(summary.stopped);
  EXPECT_EQ(summary.epochs, 16);
  EXPECT_EQ(summary.steps, 16 * 6);
  EXPECT_EQ(summary.nonfinite_steps, 0);
  ASSERT_EQ(summary.history.size(), 16u);
  EXPECT_EQ(rows, summary.history);
  EXPECT_LT(*rows.back().train_loss, *rows.front().train_loss);
  EXPECT_GE(*rows.back().val_top1, 0.9);

  for (const char* name : {"best.h5", "last.h5", "config.json", "history.csv", "history.jsonl", "curves.png"}) {
    EXPECT_TRUE(std::filesystem::exists(folder / "run" / name)) << name;
  }
  const Model best = load_model(folder / "run" / "best.h5");
  EXPECT_EQ(best.class_names, data.class_names());
  EXPECT_EQ(best.training.at("epochs"), summary.best_epoch);
  EXPECT_EQ(best.training.at("val_top1"), *rows.at(static_cast<std::size_t>(summary.best_epoch - 1)).val_top1);
  EXPECT_EQ(best.training.at("source"), "stripes");
  EXPECT_EQ(best.training.at("vit_version"), "1.2.3");
  EXPECT_EQ(best.training.at("data").at("train").at("checksum"), "sum-of-train");
  EXPECT_EQ(preprocess_config_from_json(best.preprocess, "best.h5").size, 8);
  double highest = 0;
  for (const HistoryRow& row : rows) highest = std::max(highest, *row.val_top1);
  EXPECT_EQ(best.training.at("val_top1"), highest);
}

TEST(Trainer, ReportsEachStep) {
  const TempDir folder;
  std::vector<StepProgress> steps;
  TrainOptions options;
  options.on_step = [&steps](const StepProgress& p) { steps.push_back(p); };
  train(small_config(), small_data(), folder / "run", options);
  ASSERT_EQ(steps.size(), 18u);
  EXPECT_EQ(steps.front().epoch, 1);
  EXPECT_EQ(steps.front().step, 1);
  EXPECT_FLOAT_EQ(steps.front().lr, 3e-3f / 6);
  EXPECT_EQ(steps.back().epoch, 3);
  EXPECT_EQ(steps.back().step, 6);
  EXPECT_EQ(steps.back().steps, 6);
  for (const StepProgress& p : steps) {
    EXPECT_GT(p.images_per_second, 0);
    EXPECT_TRUE(p.loss > 0 && p.loss < 5) << p.loss;
    EXPECT_GE(p.seconds_left, 0);
  }
}

// Forty pictures in steps of eight: seconds a step are 8 / images_per_second, whatever the clock said.
TEST(Trainer, TimesLeftFollowFromTheRate) {
  const TempDir folder;
  const MemoryDataset data(8, 3, 40, 0);
  const TrainConfig config = small_config();
  std::atomic<bool> stop{false};
  std::vector<StepProgress> steps;
  TrainOptions options;
  options.stop = &stop;
  options.on_step = [&](const StepProgress& p) {
    steps.push_back(p);
    stop = steps.size() == 7;  // in the second epoch
  };
  train(config, data, folder / "run", options);
  stop = false;
  options.resume = true;
  train(config, data, folder / "run", options);
  ASSERT_EQ(steps.size(), 15u);
  for (const StepProgress& p : steps) {
    const auto left = static_cast<double>(15 - (5 * (p.epoch - 1) + p.step));
    const double wanted = left * 8 / p.images_per_second;
    EXPECT_NEAR(p.seconds_left, wanted, 1e-6 * wanted) << p.epoch << ", " << p.step;
  }
}

TEST(Trainer, TimesOfAnEpochAreThoseOfTrainingAndValidation) {
  const TempDir folder;
  std::vector<StepProgress> steps;
  TrainOptions options;
  options.on_step = [&steps](const StepProgress& p) { steps.push_back(p); };
  const TrainSummary summary = train(small_config(), small_data(), folder / "run", options);
  const HistoryRow& second = summary.history.at(1);
  const double validation = second.seconds - 42 / second.images_per_second;
  EXPECT_GT(validation, 0);
  // At the last step only the last validation is left, and takes what the one before took.
  EXPECT_NEAR(steps.back().seconds_left, validation, 1e-6 * second.seconds);
}

TEST(Trainer, FilesTellHowTrainingWent) {
  const TempDir folder;
  const TrainSummary summary = train(small_config(), small_data(), folder / "run");
  const HistoryRow& last = summary.history.back();
  const nlohmann::json training = load_model(folder / "run" / "last.h5").training;
  EXPECT_EQ(training.at("recipe"), "small");
  EXPECT_EQ(training.at("epochs"), 3);
  EXPECT_EQ(training.at("steps"), 18);
  EXPECT_EQ(training.at("nonfinite_steps"), 0);
  EXPECT_EQ(training.at("train_loss"), *last.train_loss);
  EXPECT_EQ(training.at("val_loss"), *last.val_loss);
  EXPECT_EQ(training.at("val_top1"), *last.val_top1);
  // Rates at the end of warm-up, which is an epoch, and of the run.
  EXPECT_FLOAT_EQ(summary.history.at(0).lr, 3e-3f);
  EXPECT_EQ(last.step, 18);
  EXPECT_LT(last.lr, summary.history.at(1).lr);
}

TEST(Trainer, AugmentationChangesThePictures) {
  const TempDir folder;
  TrainConfig config = small_config();
  config.lr = 1e-30f;  // no weight moves
  config.epochs = 1;
  config.dropout = config.attention_dropout = config.drop_path = 0;
  config.augment = {};
  const double plain = *train(config, small_data(), folder / "plain").history.at(0).train_loss;
  config.augment.flip = 1;
  EXPECT_NE(*train(config, small_data(), folder / "flipped").history.at(0).train_loss, plain);
}

// One step; the first decay is (1 + 0) / (10 + 0).
TEST(Trainer, TheAverageFollowsTheWeights) {
  const TempDir folder;
  TrainConfig config = small_config();
  config.batch = 42;
  config.epochs = 1;
  config.warmup_epochs = 0;
  config.ema_decay = 0.9f;
  train(config, small_data(), folder / "run");
  const TrainState state = last_state(folder / "run");
  const Model first = make_initial_model(resolve(config, small_data()), small_data());
  double moved = 0;
  for (int64_t i = 0; i < first.weights.size(); ++i) {
    ASSERT_NEAR(state.model.weights[i], 0.1f * first.weights[i] + 0.9f * state.raw[i], 1e-6f) << i;
    moved = std::max(moved, static_cast<double>(std::abs(state.raw[i] - first.weights[i])));
  }
  EXPECT_GT(moved, 1e-3);
}

TEST(Trainer, LossesHaveTheSameBitsForAnyNumberOfThreads) {
  const auto losses_with = [](int threads, const std::filesystem::path& run) {
    set_thread_count(threads);
    TrainConfig config = small_config();
    config.epochs = 4;
    std::vector<double> losses;
    TrainOptions options;
    options.on_step = [&losses](const StepProgress& p) { losses.push_back(p.loss); };
    train(config, small_data(), run, options);
    set_thread_count(0);
    return losses;
  };
  const TempDir folder;
  const std::vector<double> one = losses_with(1, folder / "one");
  ASSERT_EQ(one.size(), 24u);
  EXPECT_EQ(one, losses_with(2, folder / "two"));
  EXPECT_EQ(one, losses_with(5, folder / "five"));
  test::expect_same_state(last_state(folder / "one"), last_state(folder / "two"));
  test::expect_same_state(last_state(folder / "one"), last_state(folder / "five"));
}

TEST(TrainerIsa, AndWithLessThanAvx512) {
  if (std::getenv(test::kChildVariable) != nullptr) GTEST_SKIP() << "run by the parent only";
  const char* losses = "Trainer.LossesHaveTheSameBitsForAnyNumberOfThreads";
  EXPECT_EQ(test::run_again("baseline", losses), 0);
  if (detected_isa() < Isa::avx2) GTEST_SKIP() << "this processor has no AVX2";
  EXPECT_EQ(test::run_again("avx2", losses), 0);
}

TEST(Trainer, TheSeedDecides) {
  const TempDir folder;
  TrainConfig config = small_config();
  config.epochs = 1;
  config.warmup_epochs = 0;
  train(config, small_data(), folder / "a");
  train(config, small_data(), folder / "b");
  const auto bytes_of = [&](const char* run) { return read_file(folder / run / "best.h5", 1 << 26); };
  EXPECT_EQ(bytes_of("a"), bytes_of("b"));
  ++config.seed;
  train(config, small_data(), folder / "c");
  EXPECT_FALSE(test::same_bits(last_state(folder / "a").model.weights, last_state(folder / "c").model.weights));
}

TEST(Trainer, EachEpochHasAnOrderOfItsOwn) {
  const TempDir folder;
  TrainConfig config = small_config();
  config.lr = 1e-30f;  // no weight moves, so losses tell pictures apart
  config.dropout = config.attention_dropout = config.drop_path = 0;
  config.augment = {};
  std::vector<double> first_losses;
  TrainOptions options;
  options.on_step = [&first_losses](const StepProgress& p) {
    if (p.step == 1) first_losses.push_back(p.loss);
  };
  const TrainSummary summary = train(config, small_data(), folder / "run", options);
  ASSERT_EQ(first_losses.size(), 3u);
  EXPECT_NE(first_losses[0], first_losses[1]);
  EXPECT_NE(first_losses[1], first_losses[2]);
  for (const HistoryRow& row : summary.history) EXPECT_NEAR(*row.train_loss, *summary.history[0].train_loss, 1e-6);
}

TEST(Trainer, EachStepDrawsItsOwnDropout) {
  const TempDir folder;
  TrainConfig config = small_config();
  config.lr = 1e-30f;  // no weight moves, and there is one picture: only dropout can change the loss
  config.augment = {};
  config.dropout = 0.5f;
  const MemoryDataset data(8, 3, 1, 0);
  const TrainSummary with = train(config, data, folder / "with");
  EXPECT_NE(*with.history.at(0).train_loss, *with.history.at(1).train_loss);
  EXPECT_NE(*with.history.at(1).train_loss, *with.history.at(2).train_loss);
  config.dropout = config.attention_dropout = config.drop_path = 0;
  const TrainSummary without = train(config, data, folder / "without");
  EXPECT_EQ(*without.history.at(0).train_loss, *without.history.at(2).train_loss);
}

/// Two batches in one step are one step of a batch of twice the size: without dropout the gradients are the same but
/// for the order of sums.
TEST(Trainer, AccumulationIsALargerBatch) {
  const TempDir folder;
  TrainConfig config = small_config();
  config.dropout = config.attention_dropout = config.drop_path = 0;
  config.epochs = 2;
  config.batch = 16;
  train(config, small_data(), folder / "large");
  config.batch = 8;
  config.accumulate = 2;
  const TrainSummary summary = train(config, small_data(), folder / "two");
  EXPECT_EQ(summary.steps, 6);
  const TrainState large = last_state(folder / "large");
  const TrainState two = last_state(folder / "two");
  ASSERT_EQ(large.model.weights.size(), two.model.weights.size());
  for (int64_t i = 0; i < large.model.weights.size(); ++i) {
    ASSERT_NEAR(large.model.weights[i], two.model.weights[i], 2e-4f) << i;
  }
  EXPECT_NEAR(*large.counters.history[0].train_loss, *two.counters.history[0].train_loss, 1e-5);
}

TEST(Trainer, WithoutValidationTheLastIsTheBest) {
  const TempDir folder;
  const TrainSummary summary = train(small_config(), MemoryDataset(8, 3, 42, 0), folder / "run");
  EXPECT_EQ(summary.best_epoch, 3);
  EXPECT_FALSE(summary.history.back().val_loss.has_value());
  EXPECT_TRUE(
      test::same_bits(load_model(folder / "run" / "best.h5").weights, load_model(folder / "run" / "last.h5").weights));
}

TEST(Trainer, StopsEarlyWhenNothingGetsBetter) {
  const TempDir folder;
  for (const char* metric : {"val_top1", "val_loss"}) {
    TrainConfig config = small_config();
    config.lr = 1e-30f;  // no weight moves
    config.epochs = 10;
    config.early_stop_metric = metric;
    config.early_stop_patience = 2;
    const TrainSummary summary = train(config, small_data(), folder / metric);
    EXPECT_TRUE(summary.stopped_early);
    EXPECT_EQ(summary.best_epoch, 1);
    EXPECT_EQ(summary.epochs, 3);
    TrainOptions again;
    again.resume = true;
    EXPECT_EQ(train(config, small_data(), folder / metric, again).epochs, 3);
  }
}

TEST(Trainer, SkipsAndCountsStepsThatAreNotFinite) {
  const TempDir folder;
  TrainConfig config = small_config();
  config.preprocess.std = {1e-40f, 1e-40f, 1e-40f};  // pixels become infinite
  config.epochs = 3;
  const TrainSummary summary = train(config, small_data(), folder / "run");
  EXPECT_EQ(summary.nonfinite_steps, 18);
  EXPECT_EQ(summary.history.at(0).nonfinite_steps, 6);
  EXPECT_FALSE(summary.history.at(0).train_loss.has_value());
  EXPECT_EQ(load_model(folder / "run" / "last.h5").training.at("nonfinite_steps"), 18);
  const TrainConfig resolved = resolve(config, small_data());
  EXPECT_TRUE(
      test::same_bits(last_state(folder / "run").model.weights, make_initial_model(resolved, small_data()).weights));

  config.epochs = 4;
  const std::string message = error_of(ErrorKind::data, [&] { train(config, small_data(), folder / "long"); });
  EXPECT_NE(message.find("20 steps in a row"), std::string::npos) << message;
}

TEST(Trainer, UnreadablePicturesAreLeftOutAndNamedOnce) {
  const TempDir folder;
  MemoryDataset data = small_data();
  data.splits["train"]->broken = {3, 40};
  data.splits["val"]->broken = {5};
  const TrainSummary summary = train(small_config(), data, folder / "run");
  ASSERT_EQ(summary.unreadable.size(), 3u);
  for (const UnreadableImage& image : summary.unreadable) EXPECT_TRUE(image.path.starts_with("memory/")) << image.path;
  EXPECT_EQ(summary.nonfinite_steps, 0);

  for (int64_t i = 0; i < 42; ++i) data.splits["train"]->broken.push_back(i);
  EXPECT_NE(error_of(ErrorKind::data, [&] { train(small_config(), data, folder / "none"); }).find("no picture"),
            std::string::npos);
}

/// Steps are made proportional to the gradient (eps 1 is far above it), so a wrong mean shows.
TEST(Trainer, UnreadablePicturesDoNotCountInTheMean) {
  const TempDir folder;
  TrainConfig config = small_config();
  config.dropout = config.attention_dropout = config.drop_path = 0;
  config.epochs = 1;
  config.warmup_epochs = 0;
  config.adam_eps = 1;
  config.lr = 1;
  config.clip_norm = 0;
  config.weight_decay = 0;
  MemoryDataset eight(8, 3, 8, 0);
  eight.splits["train"]->broken = {7};
  train(config, eight, folder / "eight");
  train(config, MemoryDataset(8, 3, 7, 0), folder / "seven");
  const ParameterBlock got = std::move(last_state(folder / "eight").model.weights);
  const ParameterBlock wanted = std::move(last_state(folder / "seven").model.weights);
  ASSERT_EQ(got.size(), wanted.size());
  for (int64_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], wanted[i], 1e-5f) << i;
}

TEST(Trainer, BeginsWithTheWeightsOfAModel) {
  const TempDir folder;
  train(small_config(), small_data(), folder / "first");
  TrainConfig config = small_config();
  config.lr = 1e-30f;  // no weight moves
  config.seed = 99;
  TrainOptions options;
  options.init_model = folder / "first" / "last.h5";
  train(config, small_data(), folder / "second", options);
  EXPECT_TRUE(test::same_bits(last_state(folder / "first").model.weights, last_state(folder / "second").model.weights));
}

TEST(Trainer, ARunIsNotOverwrittenUnasked) {
  const TempDir folder;
  train(small_config(), small_data(), folder / "run");
  const std::string before = read_file(folder / "run" / "last.h5", 1 << 26);
  const std::string message = error_of(ErrorKind::usage, [&] { train(small_config(), small_data(), folder / "run"); });
  EXPECT_NE(message.find("--resume"), std::string::npos) << message;
  EXPECT_EQ(read_file(folder / "run" / "last.h5", 1 << 26), before);
  TrainConfig shorter = small_config();
  shorter.epochs = 1;
  TrainOptions options;
  options.force = true;
  EXPECT_EQ(train(shorter, small_data(), folder / "run", options).epochs, 1);
}

TEST(Trainer, AFaultOfTheDataLeavesTheOldRunAlone) {
  const TempDir folder;
  train(small_config(), small_data(), folder / "run");
  TrainOptions options;
  options.force = true;
  EXPECT_THROW(train(small_config(), MemoryDataset(16, 3, 6, 0), folder / "run", options), Error);
  EXPECT_NO_THROW(last_state(folder / "run"));
}

}  // namespace
}  // namespace vit
