#include "train/comm.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"
#include "tests/train/small_run.h"

namespace vit {
namespace {

/// The only rank, which writes down what it is asked.
class Recorder : public Comm {
 public:
  TrainSummary run(const TrainConfig& config, const std::filesystem::path& folder) {
    TrainOptions options;
    options.comm = this;
    return train(config, test::small_data(), folder, options);
  }

  int rank() const override { return 0; }
  int ranks() const override { return count; }
  void sum(std::span<float> numbers) override { summed.push_back(numbers.size()); }
  void sum(std::span<double>) override { ++totals; }
  bool any(bool flag) override { return flag || ++asked == stop_at; }
  void broadcast(std::span<float> numbers) override { sent.push_back(numbers.size()); }

  int count = 1, totals = 0, asked = 0, stop_at = -1;
  std::vector<std::size_t> summed, sent;
};

TEST(Comm, SelfIsAlone) {
  float numbers[] = {1, 2};
  comm_self().sum(std::span<float>(numbers));
  comm_self().broadcast(numbers);
  EXPECT_EQ(numbers[0], 1);
  EXPECT_EQ(comm_self().rank(), 0);
  EXPECT_EQ(comm_self().ranks(), 1);
  EXPECT_TRUE(comm_self().any(true));
  EXPECT_FALSE(comm_self().any(false));
}

TEST(Comm, RanksBeginWithOneStateAndAddTheGradientsOfEachStep) {
  const test::TempDir dir;
  Recorder comm;
  TrainConfig config = test::small_config();
  config.epochs = 1;
  config.ema_decay = 0.9f;
  const TrainSummary summary = comm.run(config, dir / "run");
  const auto block = static_cast<std::size_t>(test::last_state(dir / "run").model.weights.size());
  EXPECT_EQ(comm.sent, std::vector<std::size_t>(4, block));  // the average, the weights and two moments
  EXPECT_EQ(comm.summed, std::vector<std::size_t>(static_cast<std::size_t>(summary.steps), block));
  EXPECT_EQ(comm.totals, summary.steps);
}

TEST(Comm, AStopThatAnotherRankIsAskedForEndsTheRun) {
  const test::TempDir dir;
  Recorder comm;
  comm.stop_at = 3;
  const TrainSummary summary = comm.run(test::small_config(), dir / "run");
  EXPECT_TRUE(summary.stopped);
  EXPECT_EQ(summary.steps, 2);
}

TEST(Comm, SeveralRanksAreRefusedUntilBatchesAreDivided) {
  const test::TempDir dir;
  Recorder comm;
  comm.count = 2;
  const std::string text = test::error_of(ErrorKind::usage, [&] { comm.run(test::small_config(), dir / "run"); });
  EXPECT_NE(text.find("has 2"), std::string::npos) << text;
}

}  // namespace
}  // namespace vit
