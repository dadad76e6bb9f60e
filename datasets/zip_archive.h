// Zip files, by the directory at their end.
#pragma once

#include <filesystem>
#include <memory>

#include "datasets/archive_entries.h"
#include "datasets/entry_source.h"

namespace vit {

/// By its first bytes; also a program that unpacks itself.
bool is_zip(const std::filesystem::path& path);

/// Throws Error (data) as read_archive; also for encrypted files and for one part of several.
std::unique_ptr<ArchiveEntries> read_zip(const std::filesystem::path& path, const SourceLimits& limits);

}  // namespace vit
