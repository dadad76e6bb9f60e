// Learns a model from a data set: epochs of steps, validation, best and last checkpoint, history and curves.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "datasets/loader.h"
#include "train/comm.h"
#include "train/config.h"
#include "train/history.h"

namespace vit {

/// After each optimizer step.
struct StepProgress {
  int64_t epoch = 0;  // counts from 1
  int64_t epochs = 0;
  int64_t step = 0;  // of this epoch, counts from 1
  int64_t steps = 0;
  double images_per_second = 0;  // in this epoch, since the run was started or resumed
  double loss = 0;               // mean over the epoch so far
  float lr = 0;
  double seconds_left = 0;  // of the run, validation included once an epoch has shown how long it takes
};

struct TrainOptions {
  bool resume = false;                    // go on from RUN/last.h5
  bool force = false;                     // start anew where there is a run already
  std::filesystem::path init_model = {};  // start from these weights; empty = freshly drawn
  std::string source = {};                // where the data came from, for the record in the model
  std::string version = {};               // of the program, for the same

  std::function<void(const StepProgress&)> on_step = {};
  std::function<void(const HistoryRow&)> on_epoch = {};
  const std::atomic<bool>* stop = nullptr;  // once true: save RUN/last.h5 after the step and return
  Comm* comm = nullptr;                     // the ranks of the run; null = this is the only one
};

struct TrainSummary {
  bool stopped = false;        // by TrainOptions::stop; --resume goes on
  bool stopped_early = false;  // no better epoch within the patience
  int64_t epochs = 0;          // complete
  int64_t steps = 0;
  int64_t nonfinite_steps = 0;  // skipped
  int64_t best_epoch = 0;       // the epoch of RUN/best.h5
  std::vector<HistoryRow> history;
  std::vector<UnreadableImage> unreadable;  // left out, each named once
};

/// Writes RUN/{best,last}.h5, history.csv, history.jsonl, config.json and curves.png. The same config, data and seed
/// give the same bits for any number of threads, and so does a run that was killed and resumed. Throws Error: usage
/// when RUN holds a run already, data when model and data do not fit or the loss stays non-finite.
TrainSummary train(const TrainConfig& config, const Dataset& data, const std::filesystem::path& run,
                   const TrainOptions& options = {});

/// The resolved config of a run, from RUN/config.json: what --resume begins with.
TrainConfig load_run_config(const std::filesystem::path& run);

/// That many skipped steps in a row end the run.
inline constexpr int64_t kMostNonfiniteInARow = 20;

}  // namespace vit
