#include "datasets/array_source.h"

#include <algorithm>

#include "vit/core/error.h"

namespace vit {

std::string_view file_name(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);  // npos + 1 = 0
}

std::vector<Bytes> read_entries(const EntrySource& source, std::span<const std::string> paths) {
  const int64_t limit = SourceLimits().max_entry_bytes;
  std::vector<Bytes> contents(paths.size());
  const auto stream = source.begin_pass();
  for (std::string path; stream->next(path);) {
    const auto wanted = std::find(paths.begin(), paths.end(), path);
    if (wanted == paths.end() || path.empty()) continue;
    const std::string fault = stream->read(contents[static_cast<size_t>(wanted - paths.begin())], limit);
    if (!fault.empty()) fail(ErrorKind::data, "[import] ", source.path().string(), ": ", path, ": ", fault);
  }
  return contents;
}

}  // namespace vit
