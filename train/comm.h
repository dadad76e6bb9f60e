// The ranks of one run, and what they must agree on: many processes may train one model, each on its part of every
// batch, and all of them hold the same weights at all times.
//
// The trainer asks its Comm wherever ranks could part: the first weights are those of rank 0; gradients and the loss of
// a step are summed before the update; a stop that one rank is asked for ends them all; rank 0 alone writes files. What
// a transport for several ranks needs beside its own file: a loader that takes one rank's part of each batch. Until
// then train() refuses more ranks than one.
#pragma once

#include <span>

namespace vit {

class Comm {
 public:
  Comm() = default;
  Comm(const Comm&) = delete;
  Comm& operator=(const Comm&) = delete;
  virtual ~Comm() = default;

  virtual int rank() const = 0;   // 0 <= rank < ranks
  virtual int ranks() const = 0;  // at least 1

  /// Each number becomes its sum over all ranks. Ranks are added in their order, so the same ranks give the same bits,
  /// and all ranks get them.
  virtual void sum(std::span<float> numbers) = 0;
  virtual void sum(std::span<double> numbers) = 0;
  /// Whether the flag is set on any rank; the same answer on all.
  virtual bool any(bool flag) = 0;
  /// The numbers of rank 0, on all ranks.
  virtual void broadcast(std::span<float> numbers) = 0;
};

/// The only rank: nothing to add, nobody to ask.
Comm& comm_self();

}  // namespace vit
