// A model as an ONNX graph (opset 17): normalised pixels [batch, 3, S, S] in, logits [batch, C] out, of any batch.
#pragma once

#include <string>

#include "infer/export/onnx_graph.h"
#include "vit/model/model_file.h"

namespace vit {

/// The metadata are JSON: config, preprocess (docs/formats.md), labels, origin. `model` needs no weights of its own; it
/// and what `weights` reads must outlive the graph. Throws Error (usage) that names a part without ONNX form.
OnnxGraph onnx_graph(const Model& model, const ParameterSource& weights);

}  // namespace vit
