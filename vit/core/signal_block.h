// Keeps signal handlers off a thread while it multiplies. The product library (oneDNN from 2.6 to 3.11) points the
// stack register into a buffer of its own on the heap; the frame of any handler that runs then overwrites the heap. An
// alternate stack would help only handlers installed with SA_ONSTACK, and a library's user has others.
#pragma once

#include <csignal>

namespace vit {

/// While it lives, the calling thread takes no asynchronous signal: one that comes goes to another thread or waits
/// until the end. Timers and profilers (SIGALRM, SIGPROF) thus miss ticks during a product; stops, kills, and the
/// signals of faults (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT) work as always. Inside another one it
/// does nothing, so the two system calls (0.5 us) are made once for all products of a shard. What cannot be kept off is
/// the C library's own: do not call setuid() and its like while another thread computes.
class SignalBlock {
 public:
  SignalBlock();
  ~SignalBlock();
  SignalBlock(const SignalBlock&) = delete;
  SignalBlock& operator=(const SignalBlock&) = delete;

 private:
  bool outermost_;
  sigset_t before_;
};

}  // namespace vit
