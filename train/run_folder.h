// The files of one run.
#pragma once

#include <filesystem>
#include <vector>

namespace vit {

struct RunFolder {
  std::filesystem::path path;

  std::filesystem::path best() const { return path / "best.h5"; }
  std::filesystem::path last() const { return path / "last.h5"; }
  std::filesystem::path config() const { return path / "config.json"; }
  std::filesystem::path curves() const { return path / "curves.png"; }
  std::filesystem::path history_csv() const { return path / "history.csv"; }
  std::filesystem::path history_jsonl() const { return path / "history.jsonl"; }
};

/// Throws Error (usage) when a new run would replace a file that is there and `force` is false, or one of the inputs
/// (files and folders that the run reads).
void check_new_run(const RunFolder& folder, const std::vector<std::filesystem::path>& inputs, bool force);

/// Makes an empty place for a new run: files of an older one go.
void begin_run(const RunFolder& folder);

/// Throws Error (usage) when there is nothing to go on from.
void need_checkpoint(const RunFolder& folder);

}  // namespace vit
