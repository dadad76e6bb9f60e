// Many files through one model: decoding and preprocessing run beside it, results come in input order.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "infer/classifier.h"
#include "infer/inputs.h"

namespace vit {

/// What became of one file. The spans are valid during the call that delivers them.
struct FileResult {
  int64_t index = 0;  // in the inputs
  std::string path;
  std::string error;                    // not empty: the file could not be classified, all below is empty
  std::vector<Prediction> predictions;  // best first; empty for a model without head
  std::span<const float> logits;        // [C]
  std::span<const float> embedding;     // [D], when asked for
};

struct ClassifyFilesOptions {
  int64_t top_k = 5;
  int64_t batch = 0;  // pictures at a time; 0 = chosen from the model's size
  bool embeddings = false;
};

struct ClassifySummary {
  int64_t classified = 0;
  int64_t unreadable = 0;
  double seconds = 0;
};

/// Calls deliver(result) once an input, in input order, on the calling thread. Preprocessing is the model's own.
ClassifySummary classify_files(Classifier& classifier, std::span<const InputFile> inputs,
                               const ClassifyFilesOptions& options,
                               const std::function<void(const FileResult&)>& deliver);

/// Pictures in a batch that keeps all threads busy and a few batches small in memory.
int64_t default_batch(const ModelConfig& config);

}  // namespace vit
