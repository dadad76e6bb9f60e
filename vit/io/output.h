// What a command writes: checked before its work begins, regular files whole or not at all, all else as it comes.
#pragma once

#include <filesystem>
#include <functional>
#include <ostream>
#include <string_view>
#include <vector>

#include "vit/core/error.h"

namespace vit {

enum class OutputKind {
  text,       // a file, `-` for standard output, a pipe or a device
  file,       // HDF5, which needs a regular file
  in_folder,  // a regular file in a folder that is made when it is not there
};

struct Output {
  std::filesystem::path path;
  OutputKind kind = OutputKind::text;
};

/// Whether a file below a folder that is read is read, too.
using ReadBelow = bool (*)(const std::filesystem::path&);

/// Throws Error (usage) when an output is one of the inputs (files, or folders with what is read below them; also by
/// way of links), two outputs are one, a file with content is there and `force` is false, or it is of a kind that
/// cannot be written; Error (io) when there is no folder to write into.
void check_outputs(const std::vector<Output>& outputs, const std::vector<std::filesystem::path>& inputs,
                   ReadBelow read_below, bool force);
/// The same for commands that read no folder.
void check_outputs(const std::vector<Output>& outputs, const std::vector<std::filesystem::path>& inputs, bool force);

/// True for `-`, /dev/stdout and any other name of it: then nothing else may be written there.
bool is_standard_output(const std::filesystem::path& path);

/// Writes an output of kind `text`. A failed write of the stream throws Error (io) with the system's reason.
void write_output(const std::filesystem::path& path, const std::function<void(std::ostream&)>& write);
void write_output(const std::filesystem::path& path, std::string_view contents);

/// The reader of a pipe has gone, which for a program is a reason to end and none to complain.
class BrokenPipe : public Error {
 public:
  using Error::Error;
};

}  // namespace vit
