#include "tools/stop_signal.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "vit/io/temporary_files.h"

namespace vit::tools {
namespace {

std::atomic<bool> stop{false};
std::atomic<bool> watched{false};
std::atomic<pthread_t> waiting_thread{};
static_assert(std::atomic<pthread_t>::is_always_lock_free, "a handler reads it");

void set_action(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigaction(signal, &action, nullptr);
}

bool ignored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

[[noreturn]] void end_by(int signal) {
  remove_temporary_files();
  set_action(signal, SIG_DFL);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, signal);
  pthread_sigmask(SIG_UNBLOCK, &mask, nullptr);
  raise(signal);
  _exit(128 + signal);
}

void wait_for(const sigset_t& signals) {
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (signal == SIGPIPE || !watched || stop.exchange(true)) end_by(signal);
  }
}

// SIGPIPE comes to the thread that writes, which hands it over. That is inside write(), never inside a product.
void hand_over(int signal) {
  pthread_kill(waiting_thread.load(), signal);
  for (;;) pause();
}

}  // namespace

void take_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);  // even where a shell ignores it for a job in the background: `kill -INT` saves a run
  sigaddset(&signals, SIGTERM);
  if (!ignored(SIGHUP)) sigaddset(&signals, SIGHUP);  // nohup
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  set_action(SIGINT, SIG_DFL);  // an ignored signal need not become pending
  set_action(SIGTERM, SIG_DFL);
  std::thread waiting([signals]() mutable {
    sigaddset(&signals, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    wait_for(signals);
  });
  waiting_thread = waiting.native_handle();
  waiting.detach();
  if (!ignored(SIGPIPE)) set_action(SIGPIPE, hand_over);
}

const std::atomic<bool>& watch_stop_signals() {
  watched = true;
  return stop;
}

}  // namespace vit::tools
