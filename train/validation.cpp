#include "train/validation.h"

#include <algorithm>
#include <cmath>

#include "infer/engine.h"
#include "vit/core/error.h"
#include "vit/kernels/softmax_loss.h"

namespace vit {
namespace {

/// Never where the loss is no number: the largest of such logits is none.
bool is_correct(TensorView<const float> logits, int32_t label, float loss) {
  const float* row = logits.data();
  return std::isfinite(loss) && std::max_element(row, row + logits.dim(0)) - row == label;
}

}  // namespace

std::optional<ValidationResult> run_validation(const Model& model, std::shared_ptr<const Split> split,
                                               const Pipeline& pipeline, int64_t batch, const std::atomic<bool>* stop) {
  Engine engine(model);
  Loader loader(std::move(split), pipeline, {.batch = batch, .augmentation = {}});
  const int64_t classes = model.config.classes;
  AlignedBuffer<float> logits_memory(batch * classes);
  std::vector<float> losses(static_cast<std::size_t>(batch));

  ValidationResult result;
  int64_t correct = 0;
  while (const Batch* next = loader.next()) {
    if (stop != nullptr && stop->load()) return std::nullopt;
    result.unreadable.insert(result.unreadable.end(), next->unreadable.begin(), next->unreadable.end());
    if (next->size == 0) continue;
    const TensorView<const float> patches(next->patches.data(), {next->size, pipeline.patches(), pipeline.patch_dim()});
    const TensorView<float> logits(logits_memory.data(), {next->size, classes});
    engine.run_batch(patches, {.logits = logits, .embeddings = {}, .attention = {}});
    cross_entropy(logits, next->labels.data(), 0, 1, losses.data(), {});
    for (int64_t b = 0; b < next->size; ++b) {
      const auto i = static_cast<std::size_t>(b);
      result.loss += static_cast<double>(losses[i]);
      correct += is_correct(logits[b], next->labels[i], losses[i]) ? 1 : 0;
    }
    result.images += next->size;
  }
  if (result.images == 0) fail(ErrorKind::data, "[train] no picture of the val split can be read");
  result.loss /= static_cast<double>(result.images);
  result.top1 = static_cast<double>(correct) / static_cast<double>(result.images);
  return result;
}

}  // namespace vit
