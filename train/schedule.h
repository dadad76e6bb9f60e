// The learning rate of each optimizer step.
#pragma once

#include <cstdint>

#include "train/config.h"

namespace vit {

/// Steps count from 0. In the first `warmup` steps the rate is lr * (step + 1) / warmup; after that, with
/// t = (step - warmup) / (total - warmup):
///   cosine    min_lr + (lr - min_lr) * (1 + cos(pi t)) / 2
///   linear    lr + (min_lr - lr) * t
///   constant  lr
/// as torch's LinearLR, CosineAnnealingLR and PolynomialLR go when they are stepped once an optimizer step.
class Schedule {
 public:
  Schedule(const TrainConfig& config, int64_t steps_per_epoch);

  float rate(int64_t step) const;
  int64_t warmup() const { return warmup_; }
  int64_t total() const { return total_; }

 private:
  ScheduleKind kind_;
  double lr_;
  double min_lr_;
  int64_t warmup_;
  int64_t total_;
};

}  // namespace vit
