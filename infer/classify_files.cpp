#include "infer/classify_files.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "datasets/loader.h"
#include "vit/core/parallel.h"

namespace vit {
namespace {

/// The inputs as a split, so that files are fed by the same loader as data sets.
class FileSplit final : public Split {
 public:
  explicit FileSplit(std::span<const InputFile> inputs) : inputs_(inputs) {}

  int64_t size() const override { return static_cast<int64_t>(inputs_.size()); }
  int32_t label(int64_t) const override { return 0; }
  std::string path(int64_t index) const override { return input(index).path; }
  Image image(int64_t index) const override {
    if (!input(index).error.empty()) throw Error(ErrorKind::io, input(index).error);
    return read_image(input(index).path);
  }

 private:
  const InputFile& input(int64_t index) const { return inputs_[static_cast<std::size_t>(index)]; }
  std::span<const InputFile> inputs_;
};

struct OutputRows {
  OutputRows(const ModelConfig& config, int64_t batch, bool with_embeddings)
      : classes(config.classes),
        width(config.feature_width()),
        logits(batch * classes),
        embeddings(with_embeddings ? batch * width : 0) {}

  EngineOutputs views(int64_t size) {
    EngineOutputs outputs;
    if (logits.size() > 0) outputs.logits = TensorView<float>(logits.data(), {size, classes});
    if (embeddings.size() > 0) outputs.embeddings = TensorView<float>(embeddings.data(), {size, width});
    return outputs;
  }
  std::span<const float> logits_of(int64_t row) const { return row_of(logits, row, classes); }
  std::span<const float> embedding_of(int64_t row) const { return row_of(embeddings, row, width); }

  int64_t classes;
  int64_t width;
  AlignedBuffer<float> logits;
  AlignedBuffer<float> embeddings;

 private:
  static std::span<const float> row_of(const AlignedBuffer<float>& rows, int64_t row, int64_t length) {
    if (rows.size() == 0) return {};
    return {rows.data() + row * length, static_cast<std::size_t>(length)};
  }
};

FileResult readable_result(const Model& model, const OutputRows& rows, int64_t row, int64_t top_k) {
  FileResult result;
  try {
    const std::span<const float> logits = rows.logits_of(row);
    if (!logits.empty()) result.predictions = top_predictions(logits.data(), rows.classes, top_k, model.class_names);
    result.logits = logits;
    result.embedding = rows.embedding_of(row);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::data) throw;
    result.error = error.what();
  }
  return result;
}

}  // namespace

int64_t default_batch(const ModelConfig& config) {
  constexpr int64_t kBatchFloats = int64_t{4} << 20;  // patch rows of a batch: 16 MiB
  constexpr int64_t kImagesPerThread = 4;             // at least, or threads wait for the last picture of a batch
  // A batch must not follow the number of threads where its size has a part in the bits.
  constexpr int64_t kFixedThreads = 8;
  const int64_t fitting = kBatchFloats / std::max<int64_t>(1, config.patches() * config.patch_dim());
  const int64_t rounded = std::clamp<int64_t>(fitting, 8, 256) / 8 * 8;
  return std::max(rounded, kImagesPerThread * (product_rows_stand_alone() ? thread_count() : kFixedThreads));
}

ClassifySummary classify_files(Classifier& classifier, std::span<const InputFile> inputs,
                               const ClassifyFilesOptions& options,
                               const std::function<void(const FileResult&)>& deliver) {
  const auto begin = std::chrono::steady_clock::now();
  const Model& model = classifier.model();
  const Pipeline& pipeline = classifier.pipeline();
  if (options.top_k < 1) fail(ErrorKind::usage, "[classify] top_k: needs at least 1, has ", options.top_k);
  LoaderOptions loading;
  loading.batch = std::min(options.batch > 0 ? options.batch : default_batch(model.config),
                           std::max<int64_t>(1, static_cast<int64_t>(inputs.size())));
  Loader loader(std::make_shared<FileSplit>(inputs), pipeline, loading);
  OutputRows rows(model.config, loading.batch, options.embeddings);

  ClassifySummary summary;
  const auto hand_over = [&](int64_t index, FileResult result) {
    result.index = index;
    result.path = inputs[static_cast<std::size_t>(index)].path;
    ++(result.error.empty() ? summary.classified : summary.unreadable);
    deliver(result);
  };
  while (const Batch* batch = loader.next()) {
    if (batch->size > 0) {
      const TensorView<const float> patches(batch->patches.data(),
                                            {batch->size, pipeline.patches(), pipeline.patch_dim()});
      if (inputs.size() == 1)  // the one case in which somebody waits for a single picture
        classifier.engine().run(patches, rows.views(batch->size));
      else
        classifier.engine().run_batch(patches, rows.views(batch->size));
    }
    // Both lists are in input order; merge them.
    auto bad = batch->unreadable.begin();
    const auto report_failures_before = [&](int64_t index) {
      for (; bad != batch->unreadable.end() && bad->index < index; ++bad) {
        FileResult result;
        result.error = bad->error;
        hand_over(bad->index, std::move(result));
      }
    };
    for (int64_t row = 0; row < batch->size; ++row) {
      const int64_t index = batch->indices[static_cast<std::size_t>(row)];
      report_failures_before(index);
      hand_over(index, readable_result(model, rows, row, options.top_k));
    }
    report_failures_before(std::numeric_limits<int64_t>::max());
  }
  summary.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return summary;
}

}  // namespace vit
