#include "train/run_folder.h"

#include <system_error>

#include "vit/core/error.h"

namespace vit {

void begin_run(const RunFolder& folder, bool force) {
  std::error_code error;
  if (std::filesystem::exists(folder.last(), error) && !force) {
    fail(ErrorKind::usage, "[train] ", folder.path.string(),
         " holds a run already; --resume goes on with it, --force starts anew");
  }
  std::filesystem::create_directories(folder.path, error);
  if (error) fail(ErrorKind::io, "[train] cannot make the folder ", folder.path.string(), ": ", error.message());
  for (const auto& file : {folder.last(), folder.best(), folder.config(), folder.curves(), folder.path / "history.csv",
                           folder.path / "history.jsonl"}) {
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
