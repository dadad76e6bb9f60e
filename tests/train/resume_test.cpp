// A run that was stopped or killed and resumed has the bits of one that never stopped.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <optional>
#include <thread>
#include <utility>

#include "tests/support/temp_dir.h"
#include "tests/train/small_run.h"
#include "train/checkpoint.h"
#include "train/run_folder.h"
#include "train/trainer.h"
#include "vit/core/rng.h"
#include "vit/io/atomic_file.h"

namespace vit {
namespace {

using test::error_of;
using test::last_state;
using test::MemoryDataset;
using test::small_config;
using test::small_data;
using test::TempDir;

/// Trains and stops once `steps` steps have been made.
TrainSummary train_some(const TrainConfig& config, const std::filesystem::path& run, int64_t steps, bool resume) {
  std::atomic<bool> stop{false};
  int64_t made = 0;
  TrainOptions options;
  options.resume = resume;
  options.stop = &stop;
  options.on_step = [&](const StepProgress&) { stop = ++made == steps; };
  return train(config, small_data(), run, options);
}

int64_t lines_of(const std::filesystem::path& path) {
  const std::string text = read_file(path, 1 << 20);
  return std::count(text.begin(), text.end(), '\n');
}

struct ResumeCase {
  const char* name;
  float ema_decay;
  int64_t accumulate;
  std::vector<int64_t> stops;  // steps in each part; the rest comes in one more
};

class Resume : public testing::TestWithParam<ResumeCase> {};

TEST_P(Resume, HasTheBitsOfARunThatNeverStopped) {
  TrainConfig config = small_config();
  config.epochs = 4;
  config.ema_decay = GetParam().ema_decay;
  config.accumulate = GetParam().accumulate;
  const TempDir folder;
  train(config, small_data(), folder / "whole");

  bool resume = false;
  for (int64_t steps : GetParam().stops) {
    EXPECT_TRUE(train_some(config, folder / "parts", steps, resume).stopped);
    resume = true;
  }
  const TrainSummary summary = train_some(config, folder / "parts", -1, true);
  EXPECT_FALSE(summary.stopped);
  EXPECT_EQ(summary.epochs, 4);
  test::expect_same_state(last_state(folder / "whole"), last_state(folder / "parts"));
  EXPECT_EQ(read_file(folder / "whole" / "best.h5", 1 << 26), read_file(folder / "parts" / "best.h5", 1 << 26));
  EXPECT_EQ(lines_of(folder / "parts" / "history.csv"), 5);
  EXPECT_EQ(lines_of(folder / "parts" / "history.jsonl"), 4);
}

INSTANTIATE_TEST_SUITE_P(Cases, Resume,
                         testing::Values(ResumeCase{"within_an_epoch", 0, 1, {3}},
                                         ResumeCase{"after_the_first_step", 0, 1, {1}},
                                         ResumeCase{"before_validation", 0, 1, {6}},
                                         ResumeCase{"many_times_with_average", 0.9f, 1, {2, 1, 5, 6, 3}},
                                         ResumeCase{"average", 0.99f, 1, {8}},
                                         ResumeCase{"accumulation", 0.9f, 4, {1, 2}}),
                         [](const auto& test) { return test.param.name; });

TEST(ResumeAtTheEndOfAnEpoch, HasTheBitsOfARunThatNeverStopped) {
  for (float ema_decay : {0.0f, 0.9f}) {
    TrainConfig config = small_config();
    config.ema_decay = ema_decay;
    const TempDir folder;
    train(config, small_data(), folder / "whole");
    std::atomic<bool> stop{false};
    TrainOptions options;
    options.stop = &stop;
    options.on_epoch = [&stop](const HistoryRow& row) { stop = row.epoch == 2; };
    EXPECT_TRUE(train(config, small_data(), folder / "parts", options).stopped);
    train_some(config, folder / "parts", -1, true);
    test::expect_same_state(last_state(folder / "whole"), last_state(folder / "parts"));
  }
}

TEST(ResumeOfAnImportedModel, KeepsItsOrigin) {
  const TrainConfig config = small_config();
  const TempDir folder;
  Model init = make_model(resolve(config, small_data()).model, 1);
  init.origin = {{"source", "elsewhere"}, {"licence", "mit"}};
  save_model(folder / "init.h5", init);
  std::atomic<bool> stop{false};
  TrainOptions options;
  options.init_model = folder / "init.h5";
  options.stop = &stop;
  options.on_step = [&](const StepProgress&) { stop = true; };
  EXPECT_TRUE(train(config, small_data(), folder / "run", options).stopped);
  EXPECT_FALSE(train_some(config, folder / "run", -1, true).stopped);
  for (const char* file : {"last.h5", "best.h5"}) EXPECT_EQ(load_model(folder / "run" / file).origin, init.origin);
}

TEST(ResumeRefusal, NamesCountersThatDoNotBelongTogether) {
  const TempDir folder;
  const TrainConfig config = small_config();
  train_some(config, folder / "run", 3, false);
  const std::filesystem::path last = RunFolder{folder / "run"}.last();
  const TrainState good = last_state(folder / "run");
  const auto message_for = [&](auto change) {
    TrainState state = last_state(folder / "run");
    change(state.counters);
    save_checkpoint(last, state);
    const std::string message = error_of(ErrorKind::data, [&] { train_some(config, folder / "run", -1, true); });
    save_checkpoint(last, good);
    return message;
  };
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_NE(message_for([](RunCounters& c) { c.step = kMost; }).find("step: needs 3"), std::string::npos);
  EXPECT_NE(message_for([](RunCounters& c) { c.images_seen = kMost; }).find("images_seen"), std::string::npos);
  EXPECT_NE(message_for([](RunCounters& c) { c.images = kMost; }).find("images"), std::string::npos);
}

TEST(ResumeRefusal, NamesWhatDiffers) {
  const TempDir folder;
  const TrainConfig config = small_config();
  TrainOptions options;
  options.resume = true;
  const auto refusal = [&](ErrorKind kind, const TrainConfig& c, const MemoryDataset& data) {
    return error_of(kind, [&] { train(c, data, folder / "run", options); });
  };
  EXPECT_NE(refusal(ErrorKind::usage, config, small_data()).find("nothing to resume"), std::string::npos);
  train_some(config, folder / "run", 3, false);
  TrainConfig other = config;
  other.lr = 1;
  EXPECT_NE(refusal(ErrorKind::data, other, small_data()).find("lr: needs 1.0, has 0.003"), std::string::npos);
  MemoryDataset data = small_data();
  data.checksum_prefix = "other-";
  EXPECT_NE(refusal(ErrorKind::data, config, data).find("train.checksum"), std::string::npos);
  EXPECT_NE(refusal(ErrorKind::data, config, MemoryDataset(8, 3, 41, 12)).find("train.images: needs 41, has 42"),
            std::string::npos);
}

TEST(ResumeOfAFinishedRun, ChangesNothing) {
  const TempDir folder;
  train(small_config(), small_data(), folder / "run");
  const std::string before = read_file(folder / "run" / "last.h5", 1 << 26);
  TrainOptions options;
  options.resume = true;
  const TrainSummary summary = train(small_config(), small_data(), folder / "run", options);
  EXPECT_EQ(summary.epochs, 3);
  EXPECT_EQ(summary.history.size(), 3u);
  EXPECT_EQ(read_file(folder / "run" / "last.h5", 1 << 26), before);
}

constexpr int64_t kKillEpochs = 20;

TrainConfig kill_config() {
  TrainConfig config = small_config();
  config.epochs = kKillEpochs;
  config.ema_decay = 0.9f;
  config.save_every_steps = 1;
  return config;
}

constexpr const char* kKillFolder = "VIT_TEST_KILL_FOLDER";

/// Trains in the folder that the parent named, or in one of its own.
TEST(Kill, ChildTrains) {
  const char* named = std::getenv(kKillFolder);
  std::optional<TempDir> own;  // not in a child: who is killed cannot clean up
  const std::filesystem::path run = named != nullptr ? std::filesystem::path(named) : own.emplace() / "run";
  TrainOptions options;
  options.resume = std::filesystem::exists(run / "last.h5");
  EXPECT_EQ(train(kill_config(), small_data(), run, options).epochs, kKillEpochs);
}

/// Which writing of a file this is; none = there is no file.
std::optional<std::pair<ino_t, int64_t>> version_of(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return std::pair(status.st_ino, int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec);
}

pid_t start_child(const std::filesystem::path& run) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  setenv(kKillFolder, run.c_str(), 1);
  const int quiet = ::dup2(::fileno(std::tmpfile()), STDOUT_FILENO);
  if (quiet >= 0) execl("/proc/self/exe", "test", "--gtest_filter=Kill.ChildTrains", static_cast<char*>(nullptr));
  _exit(127);
}

/// Waits until the file is written anew or the child has ended.
template <class Version>
void wait_for_new(const std::filesystem::path& path, const Version& old, pid_t child) {
  while (version_of(path) == old) {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child)
      return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST(Kill, AtAnyMomentLeavesACheckpointThatGoesOn) {
  if (std::getenv(kKillFolder) != nullptr) GTEST_SKIP();
  const TempDir folder;
  const std::filesystem::path run = folder / "run";
  RandomStream random(11, RandomPurpose::test);
  int killed = 0;
  for (int i = 0; i < 16; ++i) {
    const auto old = version_of(run / "last.h5");
    const pid_t pid = start_child(run);
    ASSERT_GT(pid, 0);
    wait_for_new(run / "last.h5", old, pid);
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(40'000)));
    ::kill(pid, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status)) {
      ASSERT_EQ(WEXITSTATUS(status), 0);  // it came to its end before the signal
      break;
    }
    ++killed;
    ASSERT_NO_THROW(last_state(run)) << "kill " << i;
  }
  EXPECT_GT(killed, 2);

  TrainOptions options;
  options.resume = true;
  train(kill_config(), small_data(), run, options);
  train(kill_config(), small_data(), folder / "whole");
  test::expect_same_state(last_state(folder / "whole"), last_state(run));
  EXPECT_EQ(lines_of(run / "history.csv"), kKillEpochs + 1);
}

}  // namespace
}  // namespace vit
