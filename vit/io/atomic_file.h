// Files appear whole or not at all: written under a temporary name in the same folder, synced, renamed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

namespace vit {

/// Calls write(temporary path), syncs that file, renames it to `path` and syncs the folder. When anything
/// throws, the temporary file is removed and what was at `path` is untouched. Throws Error (io).
void write_atomically(const std::filesystem::path& path,
                      const std::function<void(const std::filesystem::path&)>& write);
/// The same for text or bytes in memory.
void write_file_atomically(const std::filesystem::path& path, std::string_view contents);

/// The whole of a file, at most `max_bytes`. Throws Error (io, or data when it is larger).
std::string read_file(const std::filesystem::path& path, int64_t max_bytes);

/// Throws Error (usage) when `path` exists and `force` is false.
void refuse_overwrite(const std::filesystem::path& path, bool force);

}  // namespace vit
