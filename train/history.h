// One row an epoch: RUN/history.csv, RUN/history.jsonl, and inside the checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

namespace vit {

struct HistoryRow {
  int64_t epoch = 0;                 // counts from 1
  int64_t step = 0;                  // optimizer steps so far
  float lr = 0;                      // of the epoch's last step
  std::optional<double> train_loss;  // mean over the epoch's images; none when no step was finite
  std::optional<double> val_loss;    // without label smoothing
  std::optional<double> val_top1;    // fraction
  double images_per_second = 0;      // of training
  double seconds = 0;                // with validation
  int64_t nonfinite_steps = 0;       // skipped in this epoch

  bool operator==(const HistoryRow&) const = default;
};

nlohmann::json to_json(const HistoryRow& row);
/// Throws Error (data) that names the field.
HistoryRow history_row_from_json(const nlohmann::json& json, std::string_view where);

/// Writes both files anew, each whole or not at all, so that a row is there once however often a run was resumed.
void write_history(const std::filesystem::path& run, const std::vector<HistoryRow>& rows);

}  // namespace vit
