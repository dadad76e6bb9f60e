// Archives as they are published: .tar, .tar.gz, .tar.xz (also bzip2 and zstd) and .zip, known by content.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "datasets/archive_entries.h"
#include "datasets/entry_source.h"

namespace vit {

/// The entries in the archive's own order. Throws Error (data) that names the archive and the entry when it is none of
/// these, damaged, cut or beyond the limits.
std::unique_ptr<ArchiveEntries> read_archive(const std::filesystem::path& path, const SourceLimits& limits);

/// The content of a .gz file held in memory. Throws Error (data) that names `name` when it is damaged, cut or holds
/// more than `limit` bytes.
std::vector<uint8_t> gunzip(std::span<const uint8_t> bytes, std::string_view name, int64_t limit);

}  // namespace vit
