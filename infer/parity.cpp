#include "infer/parity.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <utility>

#include "infer/parity_cause.h"
#include "infer/parity_reference.h"
#include "preprocess/image.h"
#include "preprocess/pipeline.h"
#include "vit/core/arena.h"
#include "vit/core/error.h"
#include "vit/model/vit.h"

namespace vit {
namespace {

using Shape = std::vector<int64_t>;

struct Difference {
  double max_abs = 0, squares = 0, dot = 0, ours = 0, theirs = 0;
  int64_t beyond = 0;
};

Difference difference_of(std::span<const float> ours, std::span<const float> theirs, double tolerance) {
  Difference d;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const auto a = static_cast<double>(ours[i]), b = static_cast<double>(theirs[i]);
    const double error = std::fabs(a - b);
    if (!(error <= tolerance * (1 + std::fabs(b)))) ++d.beyond;  // also what is no number
    d.max_abs = std::isnan(error) ? error : std::max(d.max_abs, error);
    d.squares += error * error, d.dot += a * b, d.ours += a * a, d.theirs += b * b;
  }
  return d;
}

double relative_error(const Difference& d) {
  if (d.squares == 0) return 0;
  return d.theirs > 0 ? std::sqrt(d.squares / d.theirs) : std::numeric_limits<double>::infinity();
}

double cosine_of(const Difference& d) {
  if (d.ours == 0 && d.theirs == 0) return 1;
  return d.ours > 0 && d.theirs > 0 ? d.dot / std::sqrt(d.ours * d.theirs) : 0;
}

/// Compares stages as they come; those that the reference has not are passed over.
class Comparer {
 public:
  using Cause = std::function<std::string(const StageValues&)>;
  Comparer(const ParityReference& reference, double tolerance) : reference_(reference), tolerance_(tolerance) {}

  /// `dataset`: where the reference has it. `cause`: why it may differ, asked of the first that does.
  void compare(const std::string& stage, const std::string& dataset, const Shape& shape, std::span<const float> ours,
               const Cause& cause) {
    const std::optional<Shape> theirs = reference_.shape(dataset);
    if (!theirs) return;
    if (shape != *theirs) return differ(stage, shape, *theirs, shape_cause(stage));
    StageComparison result;
    result.stage = stage;
    result.ours = shape;
    result.theirs = *theirs;
    const std::vector<float> values = reference_.values(dataset);
    const Difference d = difference_of(ours, values, tolerance_);
    result.max_abs = d.max_abs;
    result.relative = relative_error(d);
    result.cosine = cosine_of(d);
    result.beyond = d.beyond;
    result.agrees = d.beyond == 0;
    if (!result.agrees && run.first_difference() == nullptr)
      run.cause = cause({ours, values, reference_.pictures(), result.relative,
                         static_cast<double>(d.beyond) / static_cast<double>(ours.size())});
    run.stages.push_back(std::move(result));
  }

  /// What only the reference has, where a model of the same kind would have it, too.
  void expect_absent(const std::string& stage, const std::string& dataset, const std::string& cause) {
    if (const std::optional<Shape> theirs = reference_.shape(dataset)) differ(stage, {}, *theirs, cause);
  }

  ParityRun run;

 private:
  void differ(const std::string& stage, const Shape& ours, const Shape& theirs, const std::string& cause) {
    if (run.first_difference() == nullptr) run.cause = cause;
    StageComparison result;
    result.stage = stage;
    result.ours = ours;
    result.theirs = theirs;
    run.stages.push_back(std::move(result));
  }

  const ParityReference& reference_;
  double tolerance_;
};

/// pixels [n, 3, S, S] and patch rows [n, patches, 3*P*P] hold the same numbers: body(place in pixels, place in rows).
template <class Body>
void for_pixels(int64_t images, int64_t side, int64_t patch, Body body) {
  const int64_t across = side / patch;
  for (int64_t b = 0; b < images; ++b)
    for (int64_t c = 0; c < 3; ++c)
      for (int64_t y = 0; y < side; ++y)
        for (int64_t x = 0; x < side; ++x) {
          const int64_t row = (b * across + y / patch) * across + x / patch;
          body(((b * 3 + c) * side + y) * side + x, (row * 3 + c) * patch * patch + y % patch * patch + x % patch);
        }
}

class Parity {
 public:
  Parity(const OpenModel& model, const std::string& where, const std::filesystem::path& reference,
         const ParityOptions& options)
      : config_(model.model.config),
        reference_(reference),
        options_(options),
        preprocess_(preprocess_config_from_json(model.model.preprocess, where)),
        pipeline_(preprocess_, config_.input_patch()),
        network_(config_, {.dtype = DType::f32, .all_tokens = true}) {
    if (preprocess_.size != config_.image_size)
      fail(ErrorKind::data, "[parity] preprocess.size: needs ", config_.image_size, " (the model's image_size), has ",
           preprocess_.size, " (", where, ")");
    network_.pack(model.weights, false);
    workspace_ = std::make_unique<Planned<InferenceWorkspace>>(
        [&](Arena& arena) { return network_.plan_inference(arena, images()); });
  }

  ParityResult result();

 private:
  int64_t images() const { return reference_.pictures(); }
  Shape rows_shape() const { return {images(), config_.patches(), config_.patch_dim()}; }
  Shape pixels_shape() const { return {images(), 3, config_.image_size, config_.image_size}; }
  AlignedBuffer<float> prepared_pictures() const;
  AlignedBuffer<float> pixels_of(std::span<const float> rows) const;
  AlignedBuffer<float> rows_of_reference() const;
  void compare_input(std::span<const float> rows, Comparer& comparer) const;
  void compare_network(std::span<const float> rows, Comparer& comparer);
  void compare_answers(TensorView<const float> logits, ParityResult& result) const;

  const ModelConfig& config_;
  ParityReference reference_;
  ParityOptions options_;
  PreprocessConfig preprocess_;
  Pipeline pipeline_;
  Vit network_;
  std::unique_ptr<Planned<InferenceWorkspace>> workspace_;
  AlignedBuffer<float> logits_;  // of the last run
};

AlignedBuffer<float> Parity::prepared_pictures() const {
  const int64_t rows = pipeline_.patches(), length = pipeline_.patch_dim();
  AlignedBuffer<float> out(images() * rows * length);
  for (int64_t i = 0; i < images(); ++i)
    pipeline_.prepare(decode_image(reference_.picture(i), reference_.picture_name(i)),
                      TensorView<float>(out.data() + i * rows * length, {rows, length}));
  return out;
}

AlignedBuffer<float> Parity::pixels_of(std::span<const float> rows) const {
  AlignedBuffer<float> pixels(static_cast<int64_t>(rows.size()));
  for_pixels(images(), config_.image_size, config_.input_patch(),
             [&](int64_t pixel, int64_t row) { pixels[pixel] = rows[static_cast<std::size_t>(row)]; });
  return pixels;
}

AlignedBuffer<float> Parity::rows_of_reference() const {
  const std::vector<float> pixels = reference_.values("/pixels");
  AlignedBuffer<float> rows(static_cast<int64_t>(pixels.size()));
  for_pixels(images(), config_.image_size, config_.input_patch(),
             [&](int64_t pixel, int64_t row) { rows[row] = pixels[static_cast<std::size_t>(pixel)]; });
  return rows;
}

void Parity::compare_input(std::span<const float> rows, Comparer& comparer) const {
  const AlignedBuffer<float> pixels = pixels_of(rows);
  comparer.compare("pixels", "/pixels", pixels_shape(), pixels.span(),
                   [&](const StageValues& v) { return pixels_cause(v, preprocess_); });
  comparer.compare("patch rows", "/patch_rows", rows_shape(), rows,
                   [](const StageValues&) { return "side of a patch, or the order of the numbers in it"; });
}

void Parity::compare_network(std::span<const float> rows, Comparer& comparer) {
  Shard shard;
  shard.images = images();
  shard.tokens = config_.tokens();
  logits_ = AlignedBuffer<float>(images() * config_.classes);
  TensorView<float> logits;
  if (config_.classes > 0) logits = TensorView<float>(logits_.data(), {images(), config_.classes});
  int64_t stage = -1;
  const auto compare_stream = [&](TensorView<const float> x) {
    const Shape shape{images(), x.rows() / images(), x.cols()};
    const std::span<const float> values(x.data(), static_cast<std::size_t>(x.size()));
    if (stage < 0)
      comparer.compare("tokens", "/tokens", shape, values,
                       [&](const StageValues& v) { return tokens_cause(v, config_); });
    else
      comparer.compare(concat("block ", stage), concat("/blocks/", stage), shape, values,
                       [&](const StageValues& v) { return block_cause(v, stage); });
    ++stage;
  };
  network_.forward({rows.data(), {images() * config_.patches(), config_.patch_dim()}}, shard, workspace_->workspace,
                   logits, {}, compare_stream);
  comparer.expect_absent(concat("block ", stage), concat("/blocks/", stage), "number of blocks");
  const TensorView<float> features = network_.readout().features(workspace_->workspace.readout);
  comparer.compare("features", "/features", {images(), features.cols()},
                   {features.data(), static_cast<std::size_t>(images() * features.cols())},
                   [&](const StageValues& v) { return features_cause(v, config_); });
  if (config_.classes > 0)
    comparer.compare("logits", "/logits", {images(), config_.classes}, logits_.span(), logits_cause);
  else
    comparer.expect_absent("logits", "/logits", "this model has no head");
}

void Parity::compare_answers(TensorView<const float> logits, ParityResult& result) const {
  if (!logits || reference_.shape("/logits") != Shape{images(), config_.classes}) return;
  result.has_answers = true;
  const std::vector<float> theirs = reference_.values("/logits");
  const auto answer = [&](const float* row) { return std::max_element(row, row + config_.classes) - row; };
  for (int64_t b = 0; b < images(); ++b)
    if (answer(logits[b].data()) == answer(theirs.data() + b * config_.classes)) ++result.same_answers;
}

ParityResult Parity::result() {
  ParityResult result;
  result.metadata = reference_.metadata();
  result.pictures = images();
  result.tolerance = options_.tolerance;
  const AlignedBuffer<float> rows = prepared_pictures();
  Comparer comparer(reference_, options_.tolerance);
  compare_input(rows.span(), comparer);
  const bool pixels_differ = comparer.run.first_difference() != nullptr;
  compare_network(rows.span(), comparer);
  result.run = std::move(comparer.run);
  if (result.run.stages.empty())
    fail(ErrorKind::data, "[parity] the reference holds pictures, but no stage of a model to compare");
  if (config_.classes > 0) compare_answers({logits_.data(), {images(), config_.classes}}, result);
  if (!pixels_differ || reference_.shape("/pixels") != pixels_shape()) return result;
  Comparer again(reference_, options_.tolerance);
  compare_network(rows_of_reference().span(), again);
  result.from_pixels = std::move(again.run);
  return result;
}

}  // namespace

const StageComparison* ParityRun::first_difference() const {
  const auto found = std::ranges::find(stages, false, &StageComparison::agrees);
  return found == stages.end() ? nullptr : &*found;
}

ParityResult compare_with_reference(const OpenModel& model, const std::string& where,
                                    const std::filesystem::path& reference, const ParityOptions& options) {
  return Parity(model, where, reference, options).result();
}

}  // namespace vit
