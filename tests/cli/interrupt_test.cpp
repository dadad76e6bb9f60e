// Ctrl-C and its like at any moment of any command: death by the signal, no temporary file, runs that go on to the same
// bits. VIT_INTERRUPT_RUNS sets how many runs are interrupted (ctest makes few; 300 take a quarter of an hour).
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "tests/cli/workspace.h"
#include "tests/train/small_run.h"
#include "vit/core/rng.h"

namespace vit::test {
namespace {

using std::chrono::microseconds;

int interrupted_runs(int usual) {
  const char* asked = std::getenv("VIT_INTERRUPT_RUNS");
  return asked != nullptr ? std::atoi(asked) : usual;
}

class Interrupt : public Workspace {
 protected:
  std::string temporary_files() const {
    std::string found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path()))
      if (entry.path().filename().string().find(".tmp-") != std::string::npos) found += entry.path().string() + ' ';
    return found;
  }

  static std::vector<std::string> with_program(std::vector<std::string> command) {
    command.insert(command.begin(), VIT_PROGRAM);
    return command;
  }

  void clear_outputs() const {
    std::filesystem::remove_all(dir_ / "out");
    std::filesystem::create_directory(dir_ / "out");
  }

  /// Interrupts a command, which writes into out/, at `moments` times of its duration, by each signal.
  void expect_clean_ends(const std::vector<std::string>& command, int moments) {
    SCOPED_TRACE(command[0] + " " + command[1]);
    clear_outputs();
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_TRUE(ended_with(run_vit(command), 0));
    const auto duration = std::chrono::duration_cast<microseconds>(std::chrono::steady_clock::now() - begin);
    int interrupted = 0;
    for (const int signal : {SIGINT, SIGTERM})
      for (int i = 0; i < moments; ++i) {
        clear_outputs();
        RunningProgram running(with_program(command));
        std::this_thread::sleep_for(duration * (2 * i + 1) / (2 * moments));
        running.send(signal);
        const ProgramResult result = running.wait();
        if (result.exit_code != 0) {  // it was at its end
          EXPECT_TRUE(ended_with(result, 128 + signal));
          ++interrupted;
        }
        EXPECT_EQ(result.err.find("error"), std::string::npos) << result.err;
        EXPECT_EQ(temporary_files(), "");
      }
    EXPECT_GT(interrupted, 0);
  }
};

TEST_F(Interrupt, AnyCommandEndsByTheSignalWithoutTemporaryFiles) {
  make_model();
  const std::string model = path("run/best.h5"), data = path("data.h5"), pictures = path("pictures/test");
  const int moments = std::max(2, interrupted_runs(30) / 15);
  expect_clean_ends({"data", "import", path("pictures"), path("out/new.h5")}, moments);
  expect_clean_ends({"eval", model, data, "--json", path("out/eval.json")}, moments);
  expect_clean_ends({"classify", model, pictures, "--embeddings", path("out/e.h5"), "--output", path("out/a")},
                    moments);
  expect_clean_ends({"explain", model, pictures, "--output", path("out/maps")}, moments);
  expect_clean_ends({"model", "quantize", model, path("out/int8.h5"), "--calibration", data, "--max-loss", "100"},
                    moments);
  expect_clean_ends({"model", "init", path("out/m.h5"), "--model", "vit_tiny_patch16_224", "--classes", "9"}, moments);
  expect_clean_ends({"bench", model, "--seconds", "0.2", "--json", path("out/bench.json")}, moments);
}

// The file is there from the first picture to the last.
TEST_F(Interrupt, AnImportLeavesNothingOfItsFile) {
  make_pictures("pictures", 400, 0);
  std::signal(SIGHUP, SIG_DFL);  // the program leaves it ignored where these tests run under nohup
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    RunningProgram running(with_program({"data", "import", path("pictures"), path("data.h5")}));
    while (temporary_files().empty() && running.runs()) std::this_thread::sleep_for(microseconds(200));
    running.send(signal);
    EXPECT_TRUE(ended_with(running.wait(), 128 + signal));
    EXPECT_EQ(temporary_files(), "");
    EXPECT_FALSE(std::filesystem::exists(dir_ / "data.h5"));
  }
}

TEST_F(Interrupt, ASecondSignalEndsTrainingAtOnce) {
  make_dataset();
  RunningProgram running(with_program(train_command({"--epochs", "5000"})));
  while (running.out_so_far().empty() && running.runs()) std::this_thread::sleep_for(microseconds(500));
  running.send(SIGINT);
  running.send(SIGTERM);
  EXPECT_TRUE(ended_with(running.wait(), 128 + SIGTERM));
  EXPECT_EQ(temporary_files(), "");
}

TEST_F(Interrupt, RunsGoOnToTheBitsOfOneThatWasNotInterrupted) {
  make_dataset(16, 4);
  const std::vector<std::string> command = train_command({"--batch", "32", "--epochs", "10"});
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(ended_with(run_vit(command), 0));
  // A machine that was busy just now must not make every run wait.
  const auto duration = std::min(std::chrono::duration_cast<microseconds>(std::chrono::steady_clock::now() - begin),
                                 microseconds(3'000'000));
  std::filesystem::rename(dir_ / "run", dir_ / "straight");
  const TrainState straight = last_state(dir_ / "straight");

  RandomStream random(3, RandomPurpose::test);
  int saved = 0, killed = 0;
  const int runs = interrupted_runs(10);
  for (int i = 0; i < runs; ++i) {
    SCOPED_TRACE(testing::Message() << "run " << i);
    std::filesystem::remove_all(dir_ / "run");
    const int signal = i % 2 == 0 ? SIGINT : SIGTERM;
    RunningProgram running(with_program(command));
    std::this_thread::sleep_for(microseconds(random.below(static_cast<uint64_t>(duration.count()))));
    running.send(signal);
    const ProgramResult result = running.wait();
    EXPECT_TRUE(result.exit_code == 0 || result.exit_code == 128 + signal) << result.exit_code << result.err;
    EXPECT_EQ(temporary_files(), "");
    result.exit_code == 0 ? ++saved : ++killed;  // killed: before it was in a state to save
    std::vector<std::string> rest = command;
    if (std::filesystem::exists(dir_ / "run/last.h5"))
      rest = {"train", path("data.h5"), "--out", path("run"), "--resume"};
    else
      rest.push_back("--force");
    ASSERT_TRUE(ended_with(run_vit(rest), 0));
    expect_same_state(last_state(dir_ / "run"), straight);
  }
  std::cout << saved << " of " << runs << " interrupted runs saved, " << killed << " ended before they had begun\n";
  EXPECT_GT(saved, 0);
}

}  // namespace
}  // namespace vit::test
