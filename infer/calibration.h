// The ranges of what a model's products read, and the int8 scales that follow from them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "infer/engine.h"
#include "vit/core/words.h"

namespace vit {

/// Largest |x| of each input channel [I], by weight name.
using ChannelRanges = std::map<std::string, std::vector<float>>;

/// Gathers the ranges of all quantisable weights while an fp32 engine runs with `observer()`. The same for any order of
/// the pictures and any number of threads. The run throws Error (data) where an input is not finite.
class RangeCollector {
 public:
  explicit RangeCollector(const ParameterLayout& layout);
  ~RangeCollector();
  /// Valid as long as the collector.
  InputObserver observer();
  /// Zero for channels that nothing was seen of.
  ChannelRanges ranges() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

inline constexpr int64_t kHistogramBins = 4096;

/// Counts of |x| in kHistogramBins equal parts of [0, top], by weight name; larger values are in the last one.
struct Histogram {
  float top = 0;
  std::vector<int64_t> counts;
};
using InputHistograms = std::map<std::string, Histogram>;

class HistogramCollector {
 public:
  /// The top of each histogram is the largest of its weight's ranges.
  HistogramCollector(const ParameterLayout& layout, const ChannelRanges& ranges);
  ~HistogramCollector();
  /// As RangeCollector's.
  InputObserver observer();
  InputHistograms histograms() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What an int8 scale is chosen for.
enum class ClipRule {
  max,  // nothing is cut off: top / 127
  mse,  // the mean squared error of rounding and cutting off together is least
};
template <>
inline constexpr Word<ClipRule> kWords<ClipRule>[] = {{ClipRule::mse, "mse"}, {ClipRule::max, "max"}};
/// The scale of int8 inputs with this histogram; 1 when all of them were zero.
float input_scale(const Histogram& histogram, ClipRule rule);

}  // namespace vit
