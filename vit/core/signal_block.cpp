#include "vit/core/signal_block.h"

#include <pthread.h>

#include <initializer_list>

namespace vit {
namespace {

thread_local bool blocked = false;

const sigset_t& asynchronous_signals() {
  static const sigset_t signals = [] {
    sigset_t set;
    sigfillset(&set);
    // A blocked fault would end the process before a handler sees it.
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) sigdelset(&set, fault);
    return set;
  }();
  return signals;
}

}  // namespace

SignalBlock::SignalBlock() : outermost_(!blocked) {
  if (!outermost_) return;
  pthread_sigmask(SIG_BLOCK, &asynchronous_signals(), &before_);
  blocked = true;
}

SignalBlock::~SignalBlock() {
  if (!outermost_) return;
  blocked = false;
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace vit
