#include "infer/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>

#include "infer/evaluate.h"
#include "infer/smoothing.h"
#include "preprocess/image.h"
#include "tests/infer/small_model.h"
#include "tests/support/tolerance.h"

namespace vit {
namespace {

constexpr int64_t kImages = 6;
const std::vector<std::string> kNames{"a", "b", "c", "d"};

/// Patches of noise, [kImages, patches, 3*P*P].
struct Noise {
  explicit Noise(const ModelConfig& c)
      : shape{kImages, c.patches(), c.patch_dim()}, values(kImages * c.patches() * c.patch_dim()) {
    RandomStream random(2, RandomPurpose::test);
    for (float& x : values.span()) x = random.normal();
  }
  TensorView<const float> view() const { return {values.data(), {shape[0], shape[1], shape[2]}}; }

  int64_t shape[3];
  AlignedBuffer<float> values;
};

std::vector<float> logits_of(const Model& model, const EngineOptions& options = {}) {
  const Noise noise(model.config);
  std::vector<float> logits(static_cast<std::size_t>(kImages * model.config.classes));
  Engine engine(model, options);
  EngineOutputs outputs;
  outputs.logits = TensorView<float>(logits.data(), {kImages, model.config.classes});
  engine.run(noise.view(), outputs);
  return logits;
}

ChannelRanges ranges_of(const Model& model) {
  RangeCollector collector(model.layout);
  logits_of(model, {.observe = collector.observer()});
  return collector.ranges();
}

/// Weights of half the size leave the logits near 1, as tolerances expect.
Model milder_model(const std::string& pooling = "token") {
  Model model = test::small_model(kNames, pooling);
  for (const Parameter& p : model.layout.all())
    for (int64_t i = 0; p.role.decay && i < p.count; ++i) at(model.weights, p)[i] *= 0.5f;
  return model;
}

Model calibrated(Model model) {
  const ChannelRanges ranges = ranges_of(model);
  for (const auto& [name, channels] : ranges)
    model.quantization.input_scales[name] = *std::max_element(channels.begin(), channels.end()) / 127;
  return model;
}

bool has_int8() { return runnable_dtype(DType::i8) == DType::i8; }

TEST(Int8Engine, IsNearFp32) {
  if (!has_int8()) GTEST_SKIP() << "no int8 arithmetic here";
  for (const char* pooling : {"token", "avg"}) {
    const Model model = calibrated(milder_model(pooling));
    const std::vector<float> fp32 = logits_of(model);
    for (const EngineMode mode : {EngineMode::throughput, EngineMode::latency}) {
      const std::vector<float> int8 = logits_of(model, {.dtype = DType::i8, .mode = mode});
      test::expect_close(int8, fp32, test::kInt8);
      EXPECT_NE(int8, logits_of(model, {.dtype = DType::bf16, .mode = mode}));
    }
  }
}

TEST(Int8Engine, WeightsWithoutScaleStayInBf16) {
  if (!has_int8()) GTEST_SKIP() << "no int8 arithmetic here";
  const Model whole = calibrated(milder_model());
  const std::vector<float> fp32 = logits_of(whole);
  for (const auto& [name, scale] : whole.quantization.input_scales) {
    Model without = calibrated(milder_model()), only = calibrated(milder_model());
    without.quantization.input_scales.erase(name);
    only.quantization.input_scales = {{name, scale}};
    for (const Model* model : {&without, &only}) {
      SCOPED_TRACE(name);
      test::expect_close(logits_of(*model, {.dtype = DType::i8}), fp32, test::kInt8);
    }
  }
}

TEST(Int8Engine, NeedsAQuantisedModel) {
  try {
    logits_of(test::small_model(kNames), {.dtype = DType::i8});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("vit model quantize"), std::string::npos) << error.what();
  }
}

TEST(Calibration, SeesTheInputsOfEachQuantisableWeight) {
  const Model model = test::small_model(kNames);
  const ChannelRanges ranges = ranges_of(model);
  std::vector<std::string> names;
  for (const auto& [name, channels] : ranges) {
    names.push_back(name);
    EXPECT_EQ(static_cast<int64_t>(channels.size()), model.layout.find(name)->shape[1]) << name;
    for (float top : channels) EXPECT_GT(top, 0) << name;
  }
  std::vector<std::string> expected = quantizable_weights(model.layout);
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(names, expected);
  EXPECT_EQ(names.size(), 8u);
}

// With norm weights of 1 and no bias the inputs of qkv are normalised rows: the mean of their squares is 1.
TEST(Calibration, HistogramsCountAllInputs) {
  const Model model = test::small_model(kNames);
  const ChannelRanges ranges = ranges_of(model);
  HistogramCollector collector(model.layout, ranges);
  logits_of(model, {.micro_batch = 2, .observe = collector.observer()});
  const InputHistograms histograms = collector.histograms();
  const Histogram& qkv = histograms.at("blocks.0.attn.qkv.weight");
  const double width = static_cast<double>(qkv.top) / static_cast<double>(kHistogramBins);
  int64_t count = 0;
  double squares = 0;
  for (std::size_t bin = 0; bin < qkv.counts.size(); ++bin) {
    const double x = (static_cast<double>(bin) + 0.5) * width;
    count += qkv.counts[bin];
    squares += x * x * static_cast<double>(qkv.counts[bin]);
  }
  const int64_t inputs = kImages * model.config.tokens().count() * model.config.width;
  EXPECT_EQ(count, inputs);
  EXPECT_NEAR(squares / static_cast<double>(inputs), 1, 1e-3);
  EXPECT_GT(qkv.counts.back(), 0);
}

/// Hands one row to an observer, as the product of the first watched weight.
void observe_row(const ParameterLayout& layout, const InputObserver& observer, float value) {
  const std::string name = quantizable_weights(layout).front();
  std::vector<float> row(static_cast<std::size_t>(layout.find(name)->shape[1]));
  row[1] = value;
  const auto weight = static_cast<int>(layout.find(name) - layout.all().data());
  observer(weight, TensorView<const float>(row.data(), {1, static_cast<int64_t>(row.size())}));
}

TEST(Calibration, InputsThatAreNoNumbersAreAnError) {
  const Model model = test::small_model(kNames);
  RangeCollector ranges(model.layout);
  HistogramCollector histograms(model.layout, ranges_of(model));
  for (const float value : {std::nanf(""), INFINITY, -INFINITY})
    for (const InputObserver& observer : {ranges.observer(), histograms.observer()}) try {
        observe_row(model.layout, observer, value);
        ADD_FAILURE() << value << " was taken";
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::data);
        EXPECT_NE(std::string(error.what()).find(quantizable_weights(model.layout).front()), std::string::npos);
      }
}

TEST(Calibration, TinyAndLargerInputsHaveABin) {
  const Model model = test::small_model(kNames);
  const std::string name = quantizable_weights(model.layout).front();
  for (const float top : {1.2e-38f, 1e-36f, 1.0f, 3e38f}) {
    ChannelRanges ranges = ranges_of(model);
    ranges.at(name).assign(ranges.at(name).size(), top);
    HistogramCollector collector(model.layout, ranges);
    for (const float value : {0.0f, top, std::min(2 * top, 3.4e38f)})
      observe_row(model.layout, collector.observer(), value);
    const std::vector<int64_t> counts = collector.histograms().at(name).counts;
    EXPECT_EQ(counts.front(), 3 * static_cast<int64_t>(ranges.at(name).size()) - 2) << top;
    EXPECT_EQ(counts.back(), 2) << top;
  }
}

TEST(Calibration, ScaleOfLeastSquaredError) {
  Histogram histogram{127, std::vector<int64_t>(kHistogramBins)};
  EXPECT_FLOAT_EQ(input_scale(histogram, ClipRule::max), 1);
  // Even values in 0..127: any smaller range cuts off more than finer steps gain.
  std::fill(histogram.counts.begin(), histogram.counts.end(), 1000);
  EXPECT_FLOAT_EQ(input_scale(histogram, ClipRule::mse), 1);
  // A million values below 60 and a single one at the top. With scale s the steps cost 1e6 s^2 / 12, the cut
  // (127 - 127 s)^2: least near s = 127^2 / (127^2 + 1e6 / 12) = 0.16, but below 60/127 = 0.47 most would be cut.
  std::fill(histogram.counts.begin(), histogram.counts.end(), 0);
  std::fill_n(histogram.counts.begin(), kHistogramBins * 60 / 127, 1000000 / (kHistogramBins * 60 / 127));
  histogram.counts.back() = 1;
  EXPECT_NEAR(input_scale(histogram, ClipRule::mse), 0.47, 0.011);
  EXPECT_FLOAT_EQ(input_scale(histogram, ClipRule::max), 1);
}

// A thousand million values in the lowest hundredth and one at the top: the less the better, down to a tenth.
TEST(Calibration, ScalesAreNeverBelowATenth) {
  Histogram histogram{127, std::vector<int64_t>(kHistogramBins)};
  std::fill_n(histogram.counts.begin(), kHistogramBins / 100, 1000000000 / (kHistogramBins / 100));
  histogram.counts.back() = 1;
  EXPECT_FLOAT_EQ(input_scale(histogram, ClipRule::mse), 0.1f);
}

TEST(Calibration, NothingSeenHasScaleOne) {
  EXPECT_EQ(input_scale({0, std::vector<int64_t>(kHistogramBins)}, ClipRule::mse), 1);
}

/// A model whose inputs are uneven, so that there is something to smooth.
Model uneven_model() {
  Model model = test::small_model(kNames);
  RandomStream random(9, RandomPurpose::test);
  for (const Parameter& p : model.layout.all()) {
    if (p.name.find("norm") == std::string::npos && !p.name.ends_with("qkv.bias")) continue;
    for (int64_t i = 0; i < p.count; ++i)
      at(model.weights, p)[i] = (i % 11 == 3 ? 8.0f : 0.5f) * (0.2f + random.uniform());
  }
  return model;
}

double unevenness(const std::vector<float>& channels) {
  double sum = 0;
  for (float top : channels) sum += static_cast<double>(top);
  return static_cast<double>(*std::max_element(channels.begin(), channels.end())) *
         static_cast<double>(channels.size()) / sum;
}

TEST(Smoothing, KeepsLogitsAndEvensOutTheInputs) {
  Model model = uneven_model();
  const std::vector<float> before = logits_of(model);
  const ChannelRanges old_ranges = ranges_of(model);
  ChannelRanges ranges = old_ranges;
  smooth(model, ranges, 0.5f);
  test::expect_close(logits_of(model), before, test::kFp32Network);
  const ChannelRanges seen = ranges_of(model);
  for (const auto& [name, channels] : seen) {
    test::expect_close(ranges.at(name), channels, test::kFp32Network);
    if (name.ends_with("fc2.weight"))
      test::expect_close(channels, old_ranges.at(name), test::kFp32Network);
    else
      EXPECT_LT(unevenness(channels), 0.9 * unevenness(old_ranges.at(name))) << name;
  }
}

// Norms without a bias, and a feed-forward with a gate.
TEST(Smoothing, KeepsLogitsOfOtherParts) {
  Model model = test::small_model(kNames, "token", [](ModelConfig& c) {
    c.norm = "rmsnorm";
    c.mlp = "swiglu";
    c.qkv_bias = false;
  });
  const std::vector<float> before = logits_of(model);
  ChannelRanges ranges = ranges_of(model);
  smooth(model, ranges, 0.5f);
  test::expect_close(logits_of(model), before, test::kFp32Network);
  for (const auto& [name, channels] : ranges_of(model))
    test::expect_close(ranges.at(name), channels, test::kFp32Network);
}

TEST(Smoothing, UnusedChannelsStay) {
  Model model = uneven_model();
  const Parameter& norm = *model.layout.find("blocks.0.norm1.weight");
  at(model.weights, norm)[4] = 0;
  at(model.weights, *model.layout.find("blocks.0.norm1.bias"))[4] = 0;
  const std::vector<float> before = logits_of(model);
  ChannelRanges ranges = ranges_of(model);
  EXPECT_EQ(ranges.at("blocks.0.attn.qkv.weight")[4], 0);
  smooth(model, ranges, 0.5f);
  test::expect_close(logits_of(model), before, test::kFp32Network);
}

TEST(CompareLogits, ByHand) {
  // Probabilities (3/4, 1/4) and (1/2, 1/2); then twice the same.
  const float log3 = std::log(3.0f);
  const std::vector<float> fp32{log3, 0, 1, 2}, other{0, 0, 1, 2};
  const LogitError error = compare_logits({fp32.data(), {2, 2}}, {other.data(), {2, 2}});
  EXPECT_NEAR(error.kl, (0.75 * std::log(1.5) + 0.25 * std::log(0.5)) / 2, 1e-7);
  const double squared = std::log(3.0) * std::log(3.0);
  EXPECT_NEAR(error.relative_l2, std::sqrt(squared / (squared + 5)), 1e-7);
  EXPECT_EQ(error.agreement, 1);  // of equal logits the first is the answer
  EXPECT_THROW(compare_logits({fp32.data(), {2, 2}}, {other.data(), {1, 2}}), Error);
}

// ---- the whole of it ----

/// Pictures of blocks with labels that a test sets; counts how often each is read.
class Blocks : public Split, public Dataset {
 public:
  explicit Blocks(int64_t count) : reads(static_cast<std::size_t>(count)), labels(static_cast<std::size_t>(count)) {}
  int64_t size() const override { return static_cast<int64_t>(labels.size()); }
  int32_t label(int64_t index) const override { return labels[static_cast<std::size_t>(index)]; }
  std::string path(int64_t) const override { return ""; }
  Image image(int64_t index) const override {
    ++reads[static_cast<std::size_t>(index)];
    return image_from_bgr(test::random_picture(16, 16, static_cast<uint64_t>(index)));
  }

  const std::vector<std::string>& class_names() const override { return kNames; }
  std::vector<std::string> split_names() const override { return splits; }
  std::shared_ptr<const Split> split(const std::string& name) const override {
    const bool known = std::find(splits.begin(), splits.end(), name) != splits.end();
    return known ? std::shared_ptr<const Split>(std::shared_ptr<void>(), this) : nullptr;
  }
  nlohmann::json preprocess() const override { return {}; }
  std::string checksum(const std::string&) const override { return "sum"; }
  int64_t image_size() const override { return 16; }

  std::vector<std::string> splits{"val"};  // each has all pictures
  mutable std::vector<std::atomic<int>> reads;
  std::vector<int32_t> labels;
};

/// Labels that make `model` right in fp32 about every picture.
void label_by(const Model& model, Blocks& data) {
  Classifier classifier(model);
  const Evaluation answers = evaluate(classifier, data, "val");
  for (const ImageAnswer& a : answers.answers) data.labels[static_cast<std::size_t>(a.index)] = a.predicted;
  for (auto& count : data.reads) count = 0;
}

TEST(QuantizeModel, OnePictureIsNeverForCalibrationAndEvaluation) {
  if (!has_int8()) GTEST_SKIP() << "no int8 arithmetic here";
  const Model model = test::small_model(kNames);
  Blocks data(20);
  label_by(model, data);
  const QuantizeResult result = quantize(model, data, {.images = 3, .eval_images = 5, .max_loss = 1});
  EXPECT_EQ(result.calibration_images, 3);
  EXPECT_EQ(result.eval_images, 5);
  EXPECT_EQ(std::count_if(data.reads.begin(), data.reads.end(), [](const auto& n) { return n > 0; }), 8);
  EXPECT_EQ(result.before.top1, 1);
  const QuantizeResult halves = quantize(model, data, {.images = 1000, .max_loss = 1});
  EXPECT_EQ(halves.calibration_images, 10);
  EXPECT_EQ(halves.eval_images, 10);
}

TEST(QuantizeModel, CalibratesWithAnotherSplitThanItEvaluates) {
  if (!has_int8()) GTEST_SKIP() << "no int8 arithmetic here";
  const Model model = test::small_model(kNames);
  Blocks data(12);
  label_by(model, data);
  data.splits = {"train", "val", "test"};
  const auto result = [&](const char* split) {
    return quantize(model, data, {.images = 12, .split = split, .max_loss = 1});
  };
  EXPECT_EQ(result("").eval_split, "test");
  EXPECT_EQ(result("").calibration_split, "train");
  EXPECT_EQ(result("").calibration_images, 12);
  EXPECT_EQ(result("").eval_images, 12);
  EXPECT_EQ(result("train").calibration_split, "val");
  EXPECT_EQ(result("val").calibration_split, "train");
}

TEST(QuantizeModel, TheResultIsWhatWasMeasured) {
  if (!has_int8()) GTEST_SKIP() << "no int8 arithmetic here";
  const Model model = milder_model();
  Blocks data(60);
  label_by(model, data);
  const QuantizeResult result = quantize(model, data, {.max_loss = 1, .data_name = "blocks"});
  EXPECT_EQ(result.model.quantization.input_scales.size(), 8u);
  EXPECT_TRUE(result.in_bf16.empty());
  EXPECT_LT(result.error.relative_l2, 0.1);
  EXPECT_GT(result.error.relative_l2, 0);
  const nlohmann::json& record = result.model.quantization.record;
  EXPECT_EQ(record["calibration"]["data"], "blocks");
  EXPECT_EQ(record["calibration"]["checksum"], "sum");
  EXPECT_EQ(record["int8"]["top1"], result.after.top1);
  test::expect_close(logits_of(result.model), logits_of(model), test::kFp32Network);
  Classifier int8(result.model, {.dtype = DType::i8});
  EXPECT_GE(evaluate(int8, data, "val").top1, 0.9);  // of fp32's own answers, so that bits may turn a close one
}

TEST(QuantizeModel, KeepsWhereTheWeightsComeFrom) {
  if (!has_int8()) GTEST_SKIP() << "no int8 arithmetic here";
  Model model = test::small_model(kNames);
  model.origin = {{"source", "elsewhere"}, {"licence", "mit"}};
  model.training = {{"epochs", 3}};
  Blocks data(12);
  label_by(model, data);
  const QuantizeResult result = quantize(model, data, {.max_loss = 1});
  EXPECT_EQ(result.model.origin, model.origin);
  EXPECT_EQ(result.model.training, model.training);
}

TEST(QuantizeModel, TheMostSensitiveWeightGoesBackToBf16) {
  if (!has_int8()) GTEST_SKIP() << "no int8 arithmetic here";
  // A channel whose size drowns all others in int8, and which fc1 hardly looks at.
  const std::string fc1 = "blocks.1.mlp.fc1.weight";
  Model model = test::small_model(kNames);
  at(model.weights, *model.layout.find("blocks.1.norm2.weight"))[3] = 1e4f;
  const Parameter& p = *model.layout.find(fc1);
  for (int64_t o = 0; o < p.shape[0]; ++o) at(model.weights, p)[o * p.shape[1] + 3] = 0;
  Blocks data(80);
  label_by(model, data);
  const QuantizeOptions options{.clip = ClipRule::max, .migration = 0, .max_loss = 0.15};
  const QuantizeResult result = quantize(model, data, options);
  EXPECT_EQ(result.in_bf16, std::vector<std::string>{fc1});
  EXPECT_EQ(result.sensitivity.size(), 8u);
  EXPECT_EQ(result.sensitivity.front().weight, fc1);
  EXPECT_FALSE(result.model.quantization.contains(fc1));
  EXPECT_EQ(result.model.quantization.input_scales.size(), 7u);
  EXPECT_LE(result.before.top1 - result.after.top1, 0.15);

  QuantizeOptions impossible = options;
  impossible.max_loss = -1;
  EXPECT_THROW(quantize(model, data, impossible), Error);
}

TEST(QuantizeModel, RefusesWhatItCannotDo) {
  if (!has_int8()) GTEST_SKIP() << "no int8 arithmetic here";
  const Model model = test::small_model(kNames);
  const Blocks one(1), some(6);
  EXPECT_THROW(quantize(model, one, {}), Error);
  EXPECT_THROW(quantize(model, some, {.split = "test"}), Error);
  EXPECT_THROW(quantize(model, some, {.migration = 2}), Error);
  EXPECT_THROW(quantize(calibrated(test::small_model(kNames)), some, {}), Error);
}

}  // namespace
}  // namespace vit
