#include "infer/export/onnx_model.h"

#include <vector>

#include "infer/export/onnx_builder.h"
#include "infer/export/onnx_parts.h"
#include "vit/core/json_text.h"
#include "vit/core/text.h"
#include "vit/core/word_rows.h"

namespace vit {
namespace {

std::vector<std::string> add_blocks(OnnxBuilder& b, std::string x) {
  std::vector<std::string> leaving;
  for (int64_t i = 0; i < b.config().depth; ++i) leaving.push_back(x = onnx_block(b, i, x));
  return leaving;
}

struct StagesForm {
  std::string_view word;
  std::vector<std::string> (*add)(OnnxBuilder& b, std::string x);
};
constexpr StagesForm kStages[] = {{"blocks", add_blocks}};

void describe(const Model& model, OnnxGraph& graph) {
  const ModelConfig& c = model.config;
  graph.name = printable(c.name);
  graph.input = {"pixels", {c.channels, c.image_size, c.image_size}, "RGB, (pixel / 255 - mean) / std of `preprocess`"};
  graph.output = {c.classes > 0 ? "logits" : "features", {c.classes > 0 ? c.classes : c.feature_width()}, ""};
  graph.metadata = {{"config", json_text(to_json(c))}, {"preprocess", json_text(model.preprocess)}};
  if (!model.class_names.empty())
    graph.metadata.emplace_back("labels", json_text(nlohmann::json(printable(model.class_names))));
  if (!model.origin.is_null()) graph.metadata.emplace_back("origin", json_text(model.origin));
}

}  // namespace

OnnxGraph onnx_graph(const Model& model, const ParameterSource& weights) {
  OnnxBuilder b(model, weights);
  const StagesForm* stages = find_row(kStages, model.config.stages);
  if (stages == nullptr) fail_without_form("list of stages", model.config.stages, word_list(row_words(kStages)));
  describe(model, b.graph());
  onnx_readout(b, stages->add(b, onnx_embedding(b, b.graph().input.name)), b.graph().output.name);
  return b.take();
}

}  // namespace vit
