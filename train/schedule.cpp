#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace vit {

Schedule::Schedule(const TrainConfig& config, int64_t steps_per_epoch)
    : kind_(config.schedule),
      lr_(static_cast<double>(config.lr)),
      min_lr_(static_cast<double>(config.min_lr)),
      warmup_(std::llround(static_cast<double>(config.warmup_epochs) * static_cast<double>(steps_per_epoch))),
      total_(config.epochs * steps_per_epoch) {}

float Schedule::rate(int64_t step) const {
  if (step < warmup_) return static_cast<float>(lr_ * static_cast<double>(step + 1) / static_cast<double>(warmup_));
  const auto rest = static_cast<double>(std::max<int64_t>(total_ - warmup_, 1));
  const double t = std::min(static_cast<double>(step - warmup_) / rest, 1.0);
  switch (kind_) {
    case ScheduleKind::cosine:
      return static_cast<float>(min_lr_ + (lr_ - min_lr_) * 0.5 * (1 + std::cos(std::numbers::pi * t)));
    case ScheduleKind::linear:
      return static_cast<float>(lr_ + (min_lr_ - lr_) * t);
    case ScheduleKind::constant:
      break;
  }
  return static_cast<float>(lr_);
}

}  // namespace vit
