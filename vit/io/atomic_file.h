// Files appear whole or not at all: written under a temporary name in the same folder, synced, renamed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace vit {

/// Calls write(temporary path), syncs that file, renames it to `path` and syncs the folder. The temporary file is
/// there, empty, with the permissions of the one that it will replace, or those that the umask leaves. When anything
/// throws, it is removed and what was at `path` is untouched. Throws Error (io), also when nothing was written.
void write_atomically(const std::filesystem::path& path,
                      const std::function<void(const std::filesystem::path&)>& write);
/// The same for text or bytes in memory; a pipe or a device is written directly.
void write_file_atomically(const std::filesystem::path& path, std::string_view contents);

/// The whole of a file, at most `max_bytes`. Throws Error (io, or data when it is larger).
std::string read_file(const std::filesystem::path& path, int64_t max_bytes);

/// Makes the folder and those above it where they are not there. Throws Error (io).
void make_folders(const std::filesystem::path& folder);

/// The first bytes of a name, at most `most` and without half a code point of UTF-8 at the end.
std::string cut_name(std::string_view name, std::size_t most);

}  // namespace vit
