// Adds nodes and constants to a graph, value by value. A value is called by its name.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "infer/export/onnx_graph.h"
#include "vit/model/model_file.h"

namespace vit {

class OnnxBuilder {
 public:
  using Value = std::string;

  /// `model` needs no weights of its own; it and what `weights` reads must outlive the graph.
  OnnxBuilder(const Model& model, const ParameterSource& weights);

  const ModelConfig& config() const { return model_.config; }
  /// In front of the names of the nodes to come.
  void set_scope(std::string scope) { scope_ = std::move(scope); }

  // ---- constants ----

  bool has(std::string_view parameter) const { return model_.layout.find(parameter) != nullptr; }
  /// Throws Error (internal) where the model has none of that name.
  const Parameter& parameter(std::string_view name) const;
  ParameterValues values(std::string_view name) const;
  /// A parameter as it is ...
  Value weight(const std::string& name);
  /// ... or a matrix [out, in] as [in, out], called `<name>.T`.
  Value transposed(const std::string& name);
  Value floats(const std::string& name, std::vector<int64_t> shape, std::vector<float> values);
  Value number(float value);
  Value integer(int64_t value);
  Value integers(const std::vector<int64_t>& values);

  // ---- nodes ----

  /// A node of one output.
  Value node(const std::string& op, std::vector<Value> inputs, std::vector<OnnxAttribute> attributes = {});
  /// A node of one output that has this name.
  Value named_node(const std::string& op, std::vector<Value> inputs, const Value& output,
                   std::vector<OnnxAttribute> attributes = {});
  /// Equal parts along an axis.
  std::vector<Value> split(const Value& x, int64_t parts, int64_t axis);
  /// A size of 0 stays as it is, one of -1 follows from the others.
  Value reshape(const Value& x, const std::vector<int64_t>& shape);
  Value transpose(const Value& x, std::vector<int64_t> order);
  /// Elements [begin, end) of an axis; end -1 = to its end.
  Value slice(const Value& x, int64_t axis, int64_t begin, int64_t end = -1);

  OnnxGraph& graph() { return graph_; }
  /// The graph; the builder is of no more use.
  OnnxGraph take() { return std::move(graph_); }

 private:
  int index(std::string_view parameter) const;
  /// Adds it once; later ones of the same name are the same.
  Value add_constant(OnnxConstant constant);

  const Model& model_;
  ParameterSource weights_;
  OnnxGraph graph_;
  std::string scope_;
  std::map<std::string, int64_t> nodes_of_;  // by scope
  std::map<std::string, bool> known_;        // constants
};

}  // namespace vit
