// Signals with handlers at all threads of this process, about a thousand a second: what a program's timers, profiler
// and children do to a library.
#pragma once

#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <stop_token>
#include <string>
#include <thread>

namespace vit::test {

class SignalStorm {
 public:
  SignalStorm() {
    handled() = 0;
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGALRM, &action, nullptr);
    ::sigaction(SIGUSR1, &action, nullptr);
    const itimerval millisecond{{0, 1000}, {0, 1000}};
    ::setitimer(ITIMER_REAL, &millisecond, nullptr);
    sender_ = std::jthread(send);
  }
  ~SignalStorm() {
    sender_.request_stop();
    sender_.join();
    const itimerval never{};
    ::setitimer(ITIMER_REAL, &never, nullptr);
    // Some may still be on their way.
    ::signal(SIGALRM, SIG_IGN);
    ::signal(SIGUSR1, SIG_IGN);
  }
  SignalStorm(const SignalStorm&) = delete;
  SignalStorm& operator=(const SignalStorm&) = delete;

  static std::atomic<long>& handled() {
    static std::atomic<long> count{0};
    return count;
  }

 private:
  /// Writes to as much stack as a handler of some use would.
  static void on_signal(int) {
    std::array<volatile char, 2048> frame;
    for (volatile char& byte : frame) byte = '!';
    handled().fetch_add(1, std::memory_order_relaxed);
  }

  // A timer's signal goes to one thread of those that take it, the first as a rule; this one finds them all.
  static void send(const std::stop_token& stop) {
    const long self = ::syscall(SYS_gettid);
    while (!stop.stop_requested()) {
      for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        const long thread = std::stol(task.path().filename().string());
        if (thread != self) ::syscall(SYS_tgkill, ::getpid(), thread, SIGUSR1);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  std::jthread sender_;
};

}  // namespace vit::test
