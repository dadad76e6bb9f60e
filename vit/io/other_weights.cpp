#include "vit/io/other_weights.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "vit/core/error.h"
#include "vit/core/text.h"

namespace vit {
namespace {

/// One word for a shell.
std::string quoted(const std::filesystem::path& path) {
  std::string text = "'";
  for (const char c : printable(path.string())) {
    if (c == '\'') {
      text += "'\\''";
    } else {
      text += c;
    }
  }
  return text + "'";
}

[[noreturn]] void fail_torch(const std::filesystem::path& path, bool script) {
  std::filesystem::path converted = path;
  converted.replace_extension(".safetensors");
  const std::string_view load = script ? "d = torch.jit.load(sys.argv[1], map_location='cpu').state_dict()"
                                       : "d = torch.load(sys.argv[1], map_location='cpu', weights_only=True); "
                                         "d = d.get('state_dict', d.get('model', d))";
  fail(ErrorKind::data, "[tensors] ", path.string(), " is ", script ? "TorchScript" : "a pickle of PyTorch",
       ", which is a program and is not run here; convert it once: python3 -c \"import sys, torch; from "
       "safetensors.torch import save_file; ",
       load, "; save_file({k: v.clone().contiguous() for k, v in d.items() if torch.is_tensor(v)}, sys.argv[2])\" ",
       quoted(path), " ", quoted(converted));
}

bool is_below_or_at(std::string_view name, std::string_view file) {
  return name == file || (name.ends_with(file) && name[name.size() - file.size() - 1] == '/');
}

}  // namespace

void refuse_other_weights(std::string_view start, const std::filesystem::path& path) {
  const auto refuse = [&](std::string_view what) { fail(ErrorKind::data, "[tensors] ", path.string(), " is ", what); };
  if (start.size() > 1 && start[0] == '\x80' && start[1] >= 2 && start[1] <= 5) fail_torch(path, false);  // protocol
  if (start.starts_with("\x89HDF\r\n\x1a\n"))
    refuse("an HDF5 file; a model of this program needs no import, and weights of Keras are not read");
  if (start.starts_with("\x93NUMPY")) refuse("one array without a name; numpy.savez writes arrays with their names");
  if (start.starts_with("GGUF")) refuse("a GGUF file, which is not read; take the model's safetensors");
  if (start.starts_with("version https://git-lfs"))
    refuse("a pointer of Git LFS to the file, not the file; fetch it with: git lfs pull");
}

void refuse_torch_zip(const std::vector<ZipEntry>& entries, const std::filesystem::path& path) {
  const auto holds = [&](std::string_view file) {
    return std::any_of(entries.begin(), entries.end(),
                       [&](const ZipEntry& entry) { return is_below_or_at(entry.name, file); });
  };
  if (holds("data.pkl")) fail_torch(path, holds("constants.pkl"));
}

}  // namespace vit
