#include "infer/quantize.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "datasets/sampler.h"
#include "datasets/subset.h"
#include "infer/evaluate.h"
#include "infer/smoothing.h"
#include "vit/core/log.h"

namespace vit {
namespace {

/// Pictures that sensitivities are measured with, of those for calibration.
constexpr int64_t kSensitivityImages = 256;

struct Pictures {
  std::string calibration_name, eval_name;
  std::shared_ptr<const Split> calibration, sensitivity, evaluated;
};

std::shared_ptr<const Split> split_of(const Dataset& data, const std::string& name) {
  std::shared_ptr<const Split> split = data.split(name);
  if (!split) fail(ErrorKind::usage, "[quantize] the data set has no split '", name, "'");
  return split;
}

/// Another split than the evaluated one, rather train; the evaluated one where there is no other.
std::string calibration_split(const Dataset& data, const std::string& eval_name) {
  const std::vector<std::string> names = data.split_names();
  for (const char* name : {"train", "val", "test"})
    if (name != eval_name && std::find(names.begin(), names.end(), name) != names.end()) return name;
  return eval_name;
}

/// Pictures [begin, begin + count) of a fixed shuffle of the split.
std::shared_ptr<const Split> drawn(const std::shared_ptr<const Split>& split, uint64_t seed, int64_t begin,
                                   int64_t count) {
  const std::vector<int64_t> order = epoch_order(split->size(), seed, 0);
  std::vector<int64_t> indices(order.begin() + begin, order.begin() + begin + count);
  std::sort(indices.begin(), indices.end());
  return subset(split, std::move(indices));
}

Pictures choose_pictures(const Dataset& data, const std::vector<int32_t>& classes, const QuantizeOptions& options) {
  Pictures p;
  p.eval_name = options.split.empty() ? default_eval_split(data) : options.split;
  p.calibration_name = calibration_split(data, p.eval_name);
  const bool shared = p.eval_name == p.calibration_name;
  const auto known = [&](const std::string& name) {
    return known_pictures(split_of(data, name), classes, data.class_names()).split;
  };
  const auto evaluated = known(p.eval_name), calibrated = shared ? evaluated : known(p.calibration_name);
  // Of a split that serves both, at most half.
  const int64_t most = shared ? calibrated->size() / 2 : calibrated->size();
  const int64_t count = std::min(options.images, most), skipped = shared ? count : 0;
  if (options.images > most)
    log(LogLevel::info, concat("images: ", most, " to calibrate with and not ", options.images, ", ",
                               p.calibration_name, " has ", calibrated->size(), shared ? " and is evaluated too" : ""));
  int64_t eval_count = evaluated->size() - skipped;
  if (options.eval_images > eval_count)
    log(LogLevel::info,
        concat("eval images: ", eval_count, " and not ", options.eval_images, ", ", p.eval_name, " has no more"));
  if (options.eval_images > 0) eval_count = std::min(eval_count, options.eval_images);
  if (count < 1 || eval_count < 1)
    fail(ErrorKind::usage, "[quantize] needs pictures to calibrate with and others to evaluate, has ",
         calibrated->size(), " in ", p.calibration_name, " and ", evaluated->size(), " in ", p.eval_name);
  p.calibration = drawn(calibrated, options.seed, 0, count);
  p.sensitivity = drawn(calibrated, options.seed, 0, std::min(count, kSensitivityImages));
  p.evaluated = drawn(evaluated, options.seed, skipped, eval_count);
  return p;
}

/// The answers and logits of one pass over a split.
struct Answers {
  Evaluation evaluation;
  int64_t classes = 0;
  std::vector<float> logits;  // [B, C]

  TensorView<const float> view() const {
    return {logits.data(), {static_cast<int64_t>(logits.size()) / classes, classes}};
  }
};

Accuracy accuracy_of(const Answers& answers) {
  return {answers.evaluation.top1, answers.evaluation.top5, answers.evaluation.loss};
}

/// A model on its way to int8, and the pictures that it is measured with.
class Quantizer {
 public:
  Quantizer(const Model& model, const Dataset& data, const QuantizeOptions& options)
      : options_(options),
        data_(data),
        classes_(match_classes(model, data.class_names())),
        pictures_(choose_pictures(data, classes_, options)),
        classifier_(model) {
    check_geometry(classifier_.pipeline().config(), data);
    model_.config = model.config;
    model_.preprocess = model.preprocess;
    model_.class_names = model.class_names;
    model_.origin = model.origin;
    model_.training = model.training;
    model_.layout = model.layout;
    model_.weights = ParameterBlock(model.weights.size());
    std::copy_n(model.weights.data(), model.weights.size(), model_.weights.data());
  }

  QuantizeResult run() {
    fp32_ = answers(classifier_.engine(), pictures_.evaluated, "fp32");
    calibrate();
    Answers int8 = measure_int8("int8", scales_, pictures_.evaluated);
    QuantizeResult result;
    if (too_much_lost(int8)) {
      result.sensitivity = sensitivities();
      int8 = put_back(result);
    }
    result.calibration_split = pictures_.calibration_name;
    result.eval_split = pictures_.eval_name;
    result.calibration_images = pictures_.calibration->size();
    result.eval_images = int8.evaluation.images;
    result.before = accuracy_of(fp32_);
    result.after = accuracy_of(int8);
    result.error = compare_logits(fp32_.view(), int8.view());
    result.model = std::move(model_);
    result.model.quantization.record = quantize_json(result, options_);
    result.model.quantization.record["calibration"]["checksum"] = data_.checksum(result.calibration_split);
    return result;
  }

 private:
  using Scales = std::map<std::string, float>;

  Answers answers(Engine& engine, const std::shared_ptr<const Split>& split, std::string_view phase) const {
    Answers result;
    result.classes = engine.config().classes;
    EvaluateOptions options{.batch = options_.batch};
    if (options_.progress)
      options.progress = [&](int64_t done, int64_t total) { options_.progress(phase, done, total); };
    options.observe = [&](const Batch&, TensorView<const float> logits) {
      result.logits.insert(result.logits.end(), logits.data(), logits.data() + logits.size());
    };
    result.evaluation = evaluate_split(engine, classifier_.pipeline(), split, classes_, {}, options);
    if (result.evaluation.images == 0) fail(ErrorKind::data, "[quantize] no picture of the data set can be read");
    return result;
  }

  void run_observed(const InputObserver& observe, std::string_view phase) const {
    Engine engine(model_, {.observe = observe});
    answers(engine, pictures_.calibration, phase);
  }

  /// Smooths the weights and finds the scales.
  void calibrate() {
    RangeCollector ranges(model_.layout);
    run_observed(ranges.observer(), "ranges");
    ChannelRanges channels = ranges.ranges();
    if (options_.migration > 0) smooth(model_, channels, options_.migration);
    HistogramCollector histograms(model_.layout, channels);
    run_observed(histograms.observer(), "histograms");
    for (const auto& [weight, histogram] : histograms.histograms())
      scales_[weight] = input_scale(histogram, options_.clip);
  }

  Answers measure_int8(std::string_view phase, const Scales& scales, const std::shared_ptr<const Split>& split) {
    model_.quantization.input_scales = scales;
    Engine engine(model_, {.dtype = DType::i8});
    return answers(engine, split, phase);
  }

  bool too_much_lost(const Answers& int8) const {
    constexpr double kRounding = 1e-9;  // rates are quotients of counts
    return fp32_.evaluation.top1 - int8.evaluation.top1 > options_.max_loss + kRounding;
  }

  std::vector<Sensitivity> sensitivities() {
    Engine engine(model_);
    const Answers fp32 = answers(engine, pictures_.sensitivity, "sensitivity");
    std::vector<Sensitivity> all;
    for (const auto& [weight, scale] : scales_) {
      const Answers alone = measure_int8("sensitivity of " + weight, {{weight, scale}}, pictures_.sensitivity);
      all.push_back({weight, compare_logits(fp32.view(), alone.view())});
    }
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.error.kl > b.error.kl; });
    return all;
  }

  Scales without_first(const std::vector<Sensitivity>& order, std::size_t count) const {
    Scales scales = scales_;
    for (std::size_t i = 0; i < count; ++i) scales.erase(order[i].weight);
    return scales;
  }

  /// Bisects the number of weights that go back to bf16: `few` lose too much, `enough` do not.
  Answers put_back(QuantizeResult& result) {
    std::size_t few = 0, enough = result.sensitivity.size();
    Answers best;
    while (enough - few > 1) {
      const std::size_t middle = (few + enough) / 2;
      Answers tried = measure_int8(concat("int8, ", middle, " weights in bf16"),
                                   without_first(result.sensitivity, middle), pictures_.evaluated);
      if (too_much_lost(tried)) {
        few = middle;
      } else {
        enough = middle;
        best = std::move(tried);
      }
    }
    if (enough == result.sensitivity.size())
      fail(ErrorKind::data, "[quantize] top-1 falls by more than ", 100 * options_.max_loss,
           " points with any weight in int8; allow more with --max-loss");
    model_.quantization.input_scales = without_first(result.sensitivity, enough);
    for (std::size_t i = 0; i < enough; ++i) result.in_bf16.push_back(result.sensitivity[i].weight);
    return best;
  }

  const QuantizeOptions& options_;
  const Dataset& data_;
  std::vector<int32_t> classes_;  // the model's of each class of the data
  Pictures pictures_;
  Classifier classifier_;  // fp32, as the model came
  Model model_;
  Scales scales_;
  Answers fp32_;
};

}  // namespace

LogitError compare_logits(TensorView<const float> fp32, TensorView<const float> other) {
  if (fp32.rows() != other.rows() || fp32.cols() != other.cols() || fp32.size() == 0)
    fail(ErrorKind::internal, "[quantize] logits to compare: needs ", fp32.rows(), " x ", fp32.cols(), ", has ",
         other.rows(), " x ", other.cols());
  const auto log_sum_exp = [](const float* x, int64_t count) {
    const double top = static_cast<double>(*std::max_element(x, x + count));
    double sum = 0;
    for (int64_t c = 0; c < count; ++c) sum += std::exp(static_cast<double>(x[c]) - top);
    return top + std::log(sum);
  };
  LogitError error;
  double difference = 0, magnitude = 0;
  const int64_t classes = fp32.cols();
  for (int64_t b = 0; b < fp32.rows(); ++b) {
    const float *p = fp32[b].data(), *q = other[b].data();
    const double p_log_sum = log_sum_exp(p, classes), q_log_sum = log_sum_exp(q, classes);
    for (int64_t c = 0; c < classes; ++c) {
      const double x = static_cast<double>(p[c]), y = static_cast<double>(q[c]);
      error.kl += std::exp(x - p_log_sum) * ((x - p_log_sum) - (y - q_log_sum));
      difference += (x - y) * (x - y);
      magnitude += x * x;
    }
    error.agreement += std::max_element(p, p + classes) - p == std::max_element(q, q + classes) - q ? 1 : 0;
  }
  error.kl /= static_cast<double>(fp32.rows());
  error.agreement /= static_cast<double>(fp32.rows());
  error.relative_l2 = magnitude > 0 ? std::sqrt(difference / magnitude) : 0;
  return error;
}

QuantizeResult quantize(const Model& model, const Dataset& data, const QuantizeOptions& options) {
  if (const std::string fault = dtype_fault(DType::i8); !fault.empty())
    fail(ErrorKind::usage, "[quantize] no int8 here to measure the model with: ", fault);
  if (!model.quantization.empty()) fail(ErrorKind::usage, "[quantize] the model is quantised already");
  if (options.images < 1 || !(options.migration >= 0 && options.migration <= 1))
    fail(ErrorKind::usage, "[quantize] needs at least 1 image and a migration from 0 to 1, has ", options.images,
         " and ", options.migration);
  return Quantizer(model, data, options).run();
}

}  // namespace vit
