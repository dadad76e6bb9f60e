// The files of one run.
#pragma once

#include <filesystem>

namespace vit {

struct RunFolder {
  std::filesystem::path path;

  std::filesystem::path best() const { return path / "best.h5"; }
  std::filesystem::path last() const { return path / "last.h5"; }
  std::filesystem::path config() const { return path / "config.json"; }
  std::filesystem::path curves() const { return path / "curves.png"; }
};

/// Makes an empty place for a new run. Throws Error (usage) when a run lies there already and `force` is false;
/// `force` removes that run's files.
void begin_run(const RunFolder& folder, bool force);

/// Throws Error (usage) when there is nothing to go on from.
void need_checkpoint(const RunFolder& folder);

}  // namespace vit
