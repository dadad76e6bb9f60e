#include "infer/export/export_model.h"

#include <memory>

#include "infer/export/onnx_file.h"
#include "infer/export/onnx_model.h"
#include "vit/io/atomic_file.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

ExportPlan plan_onnx(const OpenModel& model, const fs::path& out, const ExportOptions& options) {
  need_onnx();
  const auto graph = std::make_shared<OnnxGraph>(onnx_graph(model.model, model.weights));
  graph->producer_version = options.version;
  ExportPlan plan;
  plan.notes.push_back("opset 17; " + graph->input.name +
                       " [batch, 3, S, S], normalised as metadata `preprocess` says");
  if (const fs::path data = onnx_data_file(*graph, out); !data.empty())
    plan.files.push_back({data, [graph, out](const fs::path&) { write_onnx_data(*graph, out); }});
  plan.files.push_back({out, [graph](const fs::path& path) { write_onnx(*graph, path); }});
  return plan;
}

}  // namespace

ExportPlan plan_export(const OpenModel& model, const fs::path& out, const ExportOptions& options) {
  ExportPlan plan = plan_onnx(model, out, options);
  if (!model.model.quantization.empty()) plan.notes.push_back("int8 weights become the floats that they stand for");
  return plan;
}

void write_export(const ExportPlan& plan, const fs::path& out) {
  if (plan.folder) make_folders(out);
  for (const ExportFile& file : plan.files) file.write(file.path);
}

}  // namespace vit
