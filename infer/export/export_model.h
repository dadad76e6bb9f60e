// A model of ours as other programs read it: weights in the names of timm, Hugging Face or torchvision, or an ONNX
// graph.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "vit/core/words.h"
#include "vit/model/model_file.h"

namespace vit {

enum class ExportSchema { timm, hf, torchvision, onnx };
template <>
inline constexpr Word<ExportSchema> kWords<ExportSchema>[] = {{ExportSchema::timm, "timm"},
                                                              {ExportSchema::hf, "hf"},
                                                              {ExportSchema::torchvision, "torchvision"},
                                                              {ExportSchema::onnx, "onnx"}};

struct ExportOptions {
  ExportSchema schema = ExportSchema::timm;
  std::string version = {};  // of this program, for files that name their producer
};

struct ExportFile {
  std::filesystem::path path;
  std::function<void(const std::filesystem::path& path)> write;  // by temporary name, sync and rename
};

/// What an export will write, in this order, and what there is to say of it. Nothing is written yet.
struct ExportPlan {
  std::vector<ExportFile> files;
  bool folder = false;  // the files lie in a folder that is made when it is not there
  std::vector<std::string> notes;
};

/// The plan of `model`, which must outlive it. Throws Error (usage) that names a field of the config, or a part, that
/// the schema cannot express.
ExportPlan plan_export(const OpenModel& model, const std::filesystem::path& out, const ExportOptions& options);
/// Makes the folder and writes the files.
void write_export(const ExportPlan& plan, const std::filesystem::path& out);

}  // namespace vit
