// RUN/last.h5: a complete model file, and in it all that a run needs to go on as if it had never stopped
// (docs/formats.md): /optimizer/<state>/<weight> (AdamW: m and v), /raw/<weight>, /checkpoint/counters and
// /checkpoint/history.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "train/config.h"
#include "train/history.h"
#include "train/optimizer.h"
#include "vit/model/model_file.h"

namespace vit {

/// Where a run stands, always between two optimizer steps.
struct RunCounters {
  int64_t epoch = 0;    // complete ones
  int64_t step = 0;     // optimizer steps, skipped ones included
  int64_t batches = 0;  // of the running epoch that are used up

  double loss_sum = 0;          // over the images of the running epoch's finite steps
  int64_t images = 0;           // of these steps
  int64_t images_seen = 0;      // of all steps of the running epoch
  int64_t epoch_nonfinite = 0;  // steps of the running epoch
  double train_seconds = 0;     // of the running epoch

  int64_t nonfinite_steps = 0;  // of the run
  int64_t nonfinite_in_a_row = 0;

  std::optional<double> best_value;  // of the metric that early stopping and best.h5 follow
  int64_t best_epoch = 0;            // 0 = none yet
  int64_t epochs_without_better = 0;

  std::vector<HistoryRow> history;
};

struct TrainState {
  Model model;         // what is published: the average of the weights when there is one
  ParameterBlock raw;  // the trained weights when model.weights is their average, else empty
  OptimizerState optimizer;
  RunCounters counters;

  ParameterBlock& trained() { return raw.size() > 0 ? raw : model.weights; }
};

/// Whole or not at all. model.training["config"] must hold the run's config.
void save_checkpoint(const std::filesystem::path& path, const TrainState& state);

/// Throws Error (data) that names file and field where the file is damaged, or was made by another config; only
/// save_every_steps may differ.
TrainState load_checkpoint(const std::filesystem::path& path, const TrainConfig& config);

/// The path of the first value that differs, e.g. "model.depth: needs 6, has 12"; empty when all are equal.
std::string first_difference(const nlohmann::json& wanted, const nlohmann::json& has);

}  // namespace vit
