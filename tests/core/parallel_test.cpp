#include "vit/core/parallel.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/caught_error.h"
#include "vit/core/error.h"
#include "vit/core/turnstile.h"

namespace vit {
namespace {

class Threads : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_thread_count(GetParam()); }
  void TearDown() override { set_thread_count(0); }
};

TEST_P(Threads, ForCoversEveryItemOnceInTheSamePieces) {
  std::mutex mutex;
  std::set<std::pair<int64_t, int64_t>> pieces;
  parallel_for(103, 10, [&](int64_t begin, int64_t end) {
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(pieces.emplace(begin, end).second);
  });
  ASSERT_EQ(pieces.size(), 11u);
  int64_t next = 0;
  for (const auto& [begin, end] : pieces) {
    EXPECT_EQ(begin, next);
    next = end;
  }
  EXPECT_EQ(next, 103);
}

TEST_P(Threads, ShardsRunOnceWithWorkersInRange) {
  std::vector<std::atomic<int>> runs(50);
  parallel_shards(50, [&](int64_t shard, int worker) {
    EXPECT_GE(worker, 0);
    EXPECT_LT(worker, thread_count());
    ++runs[static_cast<std::size_t>(shard)];
    parallel_for(3, 1, [](int64_t, int64_t) {});  // serial inside
  });
  for (const auto& r : runs) EXPECT_EQ(r, 1);
}

TEST_P(Threads, ExceptionsComeBack) {
  const auto thrower = [](int64_t begin, int64_t) {
    if (begin == 5) fail(ErrorKind::data, "five");
  };
  EXPECT_THROW(parallel_for(10, 1, thrower), Error);
  EXPECT_THROW(parallel_shards(10,
                               [](int64_t shard, int) {
                                 if (shard == 5) fail(ErrorKind::data, "five");
                               }),
               Error);
}

TEST_P(Threads, TurnstileKeepsTheOrderOfShards) {
  Turnstile gates(2);
  for (int round = 0; round < 3; ++round) {
    gates.reset();
    std::vector<int64_t> first, second;
    parallel_shards(40, [&](int64_t shard, int) {
      if (shard % 7 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      gates.enter(0, shard);
      first.push_back(shard);
      gates.leave(0);
      gates.enter(1, shard);
      second.push_back(shard);
      gates.leave(1);
    });
    ASSERT_EQ(first.size(), 40u);
    EXPECT_TRUE(std::is_sorted(first.begin(), first.end()));
    EXPECT_EQ(first, second);
  }
}

// Shards 3 and 5 fail on their own, at different places; those behind them are turned away from the gates.
TEST_P(Threads, TheErrorOfTheEarliestShardComesBack) {
  Turnstile gates(2);
  for (int round = 0; round < 200; ++round) {
    gates.reset();
    std::atomic<int> ended{0};
    const std::string error = test::error_of(ErrorKind::data, [&] {
      parallel_shards(20, [&](int64_t shard, int) {
        try {
          if (shard == 5) fail(ErrorKind::data, "shard 5");
          gates.enter(0, shard);
          if (shard == 3) fail(ErrorKind::data, "shard 3");
          gates.leave(0);
          if (shard == 2) std::this_thread::sleep_for(std::chrono::microseconds(50));
          gates.enter(1, shard);
          gates.leave(1);
          ++ended;
        } catch (...) {
          gates.turn_away_after(shard);
          throw;
        }
      });
    });
    EXPECT_EQ(error, "shard 3");
    EXPECT_EQ(ended, 3) << "shards before the one that failed";
  }
}

TEST_P(Threads, NoShardBeginsAfterOneThatFailed) {
  std::atomic<int> late{0};
  EXPECT_THROW(parallel_shards(1000,
                               [&](int64_t shard, int) {
                                 if (shard == 5) fail(ErrorKind::data, "five");
                                 if (shard > 500) ++late;
                                 std::this_thread::sleep_for(std::chrono::microseconds(20));
                               }),
               Error);
  EXPECT_EQ(late, 0);
}

bool takes(int signal) {
  sigset_t blocked;
  pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  return sigismember(&blocked, signal) == 0;
}

TEST_P(Threads, BodiesOfShardsAndPhasesTakeFaultsOnly) {
  const auto expect_faults_only = [] {
    for (const int signal : {SIGALRM, SIGPROF, SIGCHLD, SIGINT, SIGUSR1}) EXPECT_FALSE(takes(signal)) << signal;
    for (const int signal : {SIGSEGV, SIGFPE, SIGABRT}) EXPECT_TRUE(takes(signal)) << signal;
  };
  parallel_shards(20, [&](int64_t, int) { expect_faults_only(); });
  parallel_phases(3, 4, [&](int, int) { expect_faults_only(); });
  EXPECT_THROW(parallel_shards(2, [](int64_t, int) { fail(ErrorKind::data, "shard"); }), Error);
  EXPECT_TRUE(takes(SIGALRM));
}

/// Runs every part of every phase and checks the order: what each part sees of the phase before it.
void expect_phases(int phases, int parts) {
  std::vector<std::atomic<int>> runs(static_cast<std::size_t>(phases * parts));
  std::vector<std::atomic<int>> ended(static_cast<std::size_t>(phases));
  parallel_phases(phases, parts, [&](int phase, int part) {
    ++runs[static_cast<std::size_t>(phase * parts + part)];
    if (phase > 0) {
      EXPECT_EQ(ended[static_cast<std::size_t>(phase - 1)], parts) << phase << ", " << part;
    }
    // A part that lasts shows whether the others wait for it.
    if ((phase + part) % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    ++ended[static_cast<std::size_t>(phase)];
  });
  for (const auto& r : runs) EXPECT_EQ(r, 1);
}

TEST_P(Threads, PhasesRunEveryPartOnceOneAfterTheOther) {
  for (const auto& [phases, parts] : {std::pair{7, 5}, {40, 2}, {3, 16}, {1, 4}, {6, 1}}) {
    SCOPED_TRACE(testing::Message() << phases << " phases of " << parts);
    expect_phases(phases, parts);
  }
}

TEST_P(Threads, PhasesWithoutPartsAreNoWork) {
  const auto none = [](int, int) { ADD_FAILURE() << "nothing was to be done"; };
  parallel_phases(0, 4, none);
  parallel_phases(4, 0, none);
}

TEST_P(Threads, PhasesInsideABodyRunSerially) {
  parallel_shards(6, [](int64_t, int) {
    const auto self = std::this_thread::get_id();
    std::vector<std::pair<int, int>> order, want;
    parallel_phases(3, 4, [&](int phase, int part) {
      EXPECT_EQ(std::this_thread::get_id(), self);
      order.emplace_back(phase, part);
    });
    for (int phase = 0; phase < 3; ++phase)
      for (int part = 0; part < 4; ++part) want.emplace_back(phase, part);
    EXPECT_EQ(order, want);
  });
}

TEST_P(Threads, BodiesInsideAPhaseRunSerially) {
  parallel_phases(2, 3, [](int, int) {
    const auto self = std::this_thread::get_id();
    parallel_for(10, 1, [&](int64_t, int64_t) { EXPECT_EQ(std::this_thread::get_id(), self); });
  });
}

TEST_P(Threads, ExceptionEndsAllPhases) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> later{0};
    EXPECT_THROW(parallel_phases(50, 4,
                                 [&](int phase, int part) {
                                   if (phase == 3 && part == round % 4) fail(ErrorKind::data, "three");
                                   if (phase > 3) ++later;
                                 }),
                 Error);
    EXPECT_EQ(later, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Counts, Threads, testing::Values(1, 2, 4, 8));

TEST(ThreadCount, NegativeIsAnError) { EXPECT_THROW(set_thread_count(-1), Error); }

}  // namespace
}  // namespace vit
