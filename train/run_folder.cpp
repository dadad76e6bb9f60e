#include "train/run_folder.h"

#include <system_error>

#include "preprocess/picture_names.h"
#include "vit/core/error.h"
#include "vit/io/atomic_file.h"
#include "vit/io/output.h"

namespace vit {

namespace {

std::vector<std::filesystem::path> files_of(const RunFolder& folder) {
  return {folder.last(), folder.best(), folder.config(), folder.curves(), folder.history_csv(), folder.history_jsonl()};
}

}  // namespace

void check_new_run(const RunFolder& folder, const std::vector<std::filesystem::path>& inputs, bool force) {
  std::error_code error;
  if (std::filesystem::exists(folder.last(), error) && !force) {
    fail(ErrorKind::usage, "[train] ", folder.path.string(),
         " holds a run already; --resume goes on with it, --force starts anew");
  }
  std::vector<Output> outputs;
  for (const auto& file : files_of(folder)) outputs.push_back({file, OutputKind::in_folder});
  check_outputs(outputs, inputs, has_image_extension, force);
}

void begin_run(const RunFolder& folder) {
  make_folders(folder.path);
  for (const auto& file : files_of(folder)) {
    std::error_code error;
    std::filesystem::remove(file, error);
    if (error) fail(ErrorKind::io, "[train] cannot remove ", file.string(), ": ", error.message());
  }
}

void need_checkpoint(const RunFolder& folder) {
  std::error_code error;
  if (std::filesystem::exists(folder.last(), error)) return;
  fail(ErrorKind::usage, "[train] nothing to resume: ", folder.last().string(),
       " does not exist; start without --resume");
}

}  // namespace vit
