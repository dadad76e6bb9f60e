#include "infer/calibration.h"

#include <algorithm>
#include <cmath>
#include <mutex>

namespace vit {
namespace {

/// What was seen of one weight's inputs.
template <class Value>
struct Seen {
  std::string name;
  float top = 0;
  std::vector<Value> values;
  std::mutex adding;
};

/// By parameter index; null for weights that are not watched.
template <class Value>
using SeenByWeight = std::vector<std::unique_ptr<Seen<Value>>>;

/// `values_of` tells how many values each weight has.
template <class Value, class ValuesOf>
SeenByWeight<Value> watch_quantizable(const ParameterLayout& layout, ValuesOf values_of) {
  SeenByWeight<Value> seen(layout.all().size());
  const std::vector<std::string> names = quantizable_weights(layout);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const Parameter& p = layout.all()[i];
    if (std::find(names.begin(), names.end(), p.name) == names.end()) continue;
    seen[i] = std::make_unique<Seen<Value>>();
    seen[i]->name = p.name;
    seen[i]->values.resize(static_cast<std::size_t>(values_of(p)));
  }
  return seen;
}

/// What is no number has no place in a range or histogram.
void check_finite(const std::string& weight, TensorView<const float> x) {
  for (int64_t row = 0; row < x.rows(); ++row) {
    const float* values = x[row].data();
    for (int64_t j = 0; j < x.cols(); ++j)
      if (!std::isfinite(values[j]))
        fail(ErrorKind::data, "[quantize] input ", j, " of ", weight, ": needs a finite number, has ", values[j],
             "; did training diverge?");
  }
}

/// An observer that hands rows of watched weights to add(seen, x).
template <class Value, class Add>
InputObserver observer_of(SeenByWeight<Value>& all, Add add) {
  return [&all, add](int weight, ConstMatrix x) {
    Seen<Value>* seen = all[static_cast<std::size_t>(weight)].get();
    if (seen == nullptr) return;
    check_finite(seen->name, x.view<const float>());
    add(*seen, x.view<const float>());
  };
}

}  // namespace

// ---- ranges ----

struct RangeCollector::Impl {
  SeenByWeight<float> seen;
};

RangeCollector::RangeCollector(const ParameterLayout& layout)
    : impl_(new Impl{watch_quantizable<float>(layout, [](const Parameter& p) { return p.shape[1]; })}) {}
RangeCollector::~RangeCollector() = default;

InputObserver RangeCollector::observer() {
  return observer_of(impl_->seen, [](Seen<float>& seen, TensorView<const float> x) {
    std::vector<float> tops(seen.values.size());
    for (int64_t row = 0; row < x.rows(); ++row) {
      const float* values = x[row].data();
      for (std::size_t j = 0; j < tops.size(); ++j) tops[j] = std::max(tops[j], std::fabs(values[j]));
    }
    const std::lock_guard lock(seen.adding);
    for (std::size_t j = 0; j < tops.size(); ++j) seen.values[j] = std::max(seen.values[j], tops[j]);
  });
}

ChannelRanges RangeCollector::ranges() const {
  ChannelRanges ranges;
  for (const auto& seen : impl_->seen)
    if (seen) ranges[seen->name] = seen->values;
  return ranges;
}

// ---- histograms ----

struct HistogramCollector::Impl {
  SeenByWeight<int64_t> seen;
};

HistogramCollector::HistogramCollector(const ParameterLayout& layout, const ChannelRanges& ranges)
    : impl_(new Impl{watch_quantizable<int64_t>(layout, [](const Parameter&) { return kHistogramBins; })}) {
  for (const auto& seen : impl_->seen) {
    if (!seen) continue;
    const std::vector<float>& channels = ranges.at(seen->name);
    seen->top = *std::max_element(channels.begin(), channels.end());
  }
}
HistogramCollector::~HistogramCollector() = default;

InputObserver HistogramCollector::observer() {
  return observer_of(impl_->seen, [](Seen<int64_t>& seen, TensorView<const float> x) {
    if (!std::isnormal(seen.top)) return;
    std::vector<int64_t> counts(kHistogramBins);
    for (int64_t row = 0; row < x.rows(); ++row) {
      const float* values = x[row].data();
      for (int64_t j = 0; j < x.cols(); ++j) {
        // Divided first: bins for a unit are more than a float can say where the top is tiny.
        const float place = std::fabs(values[j]) / seen.top * static_cast<float>(kHistogramBins);
        ++counts[static_cast<std::size_t>(std::min(place, static_cast<float>(kHistogramBins - 1)))];
      }
    }
    const std::lock_guard lock(seen.adding);
    for (std::size_t bin = 0; bin < counts.size(); ++bin) seen.values[bin] += counts[bin];
  });
}

InputHistograms HistogramCollector::histograms() const {
  InputHistograms histograms;
  for (const auto& seen : impl_->seen)
    if (seen) histograms[seen->name] = {seen->top, seen->values};
  return histograms;
}

// ---- scales ----

namespace {

constexpr double kLevels = 127;

/// Sum of squared errors of the histogram's values when they are rounded to multiples of `scale` and cut off at 127 of
/// them. Values stand in the middle of their bins.
double squared_error(const Histogram& histogram, double scale) {
  const double width = static_cast<double>(histogram.top) / static_cast<double>(kHistogramBins);
  double sum = 0;
  for (std::size_t bin = 0; bin < histogram.counts.size(); ++bin) {
    if (histogram.counts[bin] == 0) continue;
    const double x = (static_cast<double>(bin) + 0.5) * width;
    const double error = x - scale * std::min(std::nearbyint(x / scale), kLevels);
    sum += error * error * static_cast<double>(histogram.counts[bin]);
  }
  return sum;
}

}  // namespace

float input_scale(const Histogram& histogram, ClipRule rule) {
  const float largest = histogram.top / static_cast<float>(kLevels);
  if (!std::isnormal(largest)) return 1;
  if (rule == ClipRule::max) return largest;
  // Steps of 1 %; ranges below a tenth would round most values to a few bins.
  constexpr int kSteps = 100, kFewest = 10;
  double best = static_cast<double>(largest), least = squared_error(histogram, best);
  for (int step = kSteps - 1; step >= kFewest; --step) {
    const double scale = static_cast<double>(largest) * step / kSteps, error = squared_error(histogram, scale);
    if (error < least) best = scale, least = error;
  }
  return static_cast<float>(best);
}

}  // namespace vit
