#include "infer/export/export_model.h"

#include <memory>
#include <utility>

#include "infer/export/onnx_file.h"
#include "infer/export/onnx_model.h"
#include "infer/export/weights_files.h"
#include "vit/core/json_text.h"
#include "vit/core/text.h"
#include "vit/families/import_weights.h"
#include "vit/io/atomic_file.h"
#include "vit/io/safetensors_writer.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

ExportPlan plan_onnx(const OpenModel& model, const fs::path& out, const ExportOptions& options) {
  need_onnx();
  const auto graph = std::make_shared<OnnxGraph>(onnx_graph(model.model, model.weights));
  graph->producer_version = options.version;
  ExportPlan plan;
  plan.notes.push_back(
      concat("opset 17; ", graph->input.name, " [batch, 3, S, S], normalised as metadata `preprocess` says"));
  if (const fs::path data = onnx_data_file(*graph, out); !data.empty())
    plan.files.push_back({data, [graph, out](const fs::path&) { write_onnx_data(*graph, out); }});
  plan.files.push_back({out, [graph](const fs::path& path) { write_onnx(*graph, path); }});
  return plan;
}

// ---- weights by name ----

struct SchemaForm {
  ExportSchema schema;
  WeightsFiles (*files)(const Model& model);
  void (*add_preprocess)(const PreprocessConfig& preprocess, WeightsFiles& files);
};
constexpr SchemaForm kForms[] = {{ExportSchema::timm, timm_files, add_timm_preprocess},
                                 {ExportSchema::hf, hf_files, add_hf_preprocess},
                                 {ExportSchema::torchvision, torchvision_files, add_timm_preprocess}};

const SchemaForm& form_of(ExportSchema schema) {
  for (const SchemaForm& form : kForms)
    if (form.schema == schema) return form;
  fail(ErrorKind::internal, "[export] no such schema");
}

/// "format" is what PyTorch's loaders ask for; where the weights come from goes with them.
std::map<std::string, std::string> metadata_of(const Model& model) {
  std::map<std::string, std::string> metadata{{"format", "pt"}};
  for (const char* field : {"source", "licence"})
    if (const std::string text = origin_text(model, field); !text.empty()) metadata[field] = printable(text);
  return metadata;
}

void write_weights(const TensorFile& tensors, const std::map<std::string, std::string>& metadata,
                   const fs::path& path) {
  std::vector<WrittenTensor> written;
  for (const TensorEntry& entry : tensors.entries()) written.push_back({entry.name, entry.shape});
  const auto values = [&](std::size_t index, std::span<float> out) { tensors.read(tensors.entries()[index], out); };
  write_safetensors(path, written, values, {.metadata = metadata});
}

ExportFile json_file(const fs::path& path, nlohmann::ordered_json json) {
  return {path, [json = std::move(json)](const fs::path& to) { write_file_atomically(to, json_text(json, 2) + "\n"); }};
}

ExportPlan plan_weights(const OpenModel& model, const fs::path& out, const ExportOptions& options) {
  const SchemaForm& form = form_of(options.schema);
  WeightsFiles files = form.files(model.model);
  ExportPlan plan;
  plan.folder = out.extension() != ".safetensors";
  if (plan.folder) form.add_preprocess(preprocess_config_from_json(model.model.preprocess, "the model"), files);
  const std::shared_ptr<const TensorFile> tensors = exported_tensors(files.rules, model.model, model.weights);
  const auto write = [tensors, metadata = metadata_of(model.model)](const fs::path& path) {
    write_weights(*tensors, metadata, path);
  };
  plan.files.push_back({plan.folder ? out / "model.safetensors" : out, write});
  plan.notes = std::move(files.notes);
  if (!plan.folder) {
    plan.notes = {"weights alone: a folder OUT would also say sizes, preprocessing and labels"};
    return plan;
  }
  plan.files.push_back(json_file(out / "config.json", std::move(files.config)));
  if (!files.preprocessor.is_null())
    plan.files.push_back(json_file(out / "preprocessor_config.json", std::move(files.preprocessor)));
  return plan;
}

}  // namespace

ExportPlan plan_export(const OpenModel& model, const fs::path& out, const ExportOptions& options) {
  ExportPlan plan =
      options.schema == ExportSchema::onnx ? plan_onnx(model, out, options) : plan_weights(model, out, options);
  if (!model.model.quantization.empty()) plan.notes.push_back("int8 weights become the floats that they stand for");
  return plan;
}

void write_export(const ExportPlan& plan, const fs::path& out) {
  if (plan.folder) make_folders(out);
  for (const ExportFile& file : plan.files) file.write(file.path);
}

}  // namespace vit
