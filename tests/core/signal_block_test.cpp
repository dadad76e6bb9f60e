#include "vit/core/signal_block.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>

namespace vit {
namespace {

std::atomic<int> handled{0};

/// Handlers for one signal that others send and one of faults.
class Handlers : public testing::Test {
 protected:
  void SetUp() override {
    handled = 0;
    struct sigaction action {};
    action.sa_handler = [](int) { ++handled; };
    sigaction(SIGUSR1, &action, &old_user_);
    sigaction(SIGFPE, &action, &old_fault_);
  }
  void TearDown() override {
    sigaction(SIGUSR1, &old_user_, nullptr);
    sigaction(SIGFPE, &old_fault_, nullptr);
  }

  struct sigaction old_user_ {};
  struct sigaction old_fault_ {};
};

TEST_F(Handlers, WaitUntilTheOutermostBlockEnds) {
  {
    const SignalBlock outer;
    {
      const SignalBlock inner;
      raise(SIGUSR1);
    }
    EXPECT_EQ(handled, 0);
  }
  EXPECT_EQ(handled, 1);
  raise(SIGUSR1);
  EXPECT_EQ(handled, 2);
}

TEST_F(Handlers, OfFaultsRunAtOnce) {
  const SignalBlock block;
  raise(SIGFPE);
  EXPECT_EQ(handled, 1);
}

TEST_F(Handlers, StayBlockedWhereTheProgramHadBlockedThem) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &mask, nullptr);
  { const SignalBlock block; }
  raise(SIGUSR1);
  EXPECT_EQ(handled, 0);
  pthread_sigmask(SIG_UNBLOCK, &mask, nullptr);
  EXPECT_EQ(handled, 1);
}

}  // namespace
}  // namespace vit
