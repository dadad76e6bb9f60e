// RUN/curves.png: how loss, accuracy and learning rate went.
#pragma once

#include <filesystem>
#include <vector>

#include "train/history.h"

namespace vit {

/// Draws the history, whole or not at all. Nothing is written when there are no rows.
void write_curves(const std::filesystem::path& path, const std::vector<HistoryRow>& rows);

}  // namespace vit
