#include "infer/export/onnx_builder.h"

#include <algorithm>
#include <iomanip>
#include <limits>
#include <utility>

namespace vit {

OnnxBuilder::OnnxBuilder(const Model& model, const ParameterSource& weights) : model_(model), weights_(weights) {}

int OnnxBuilder::index(std::string_view name) const {
  return static_cast<int>(&parameter(name) - model_.layout.all().data());
}

const Parameter& OnnxBuilder::parameter(std::string_view name) const {
  const Parameter* found = model_.layout.find(name);
  if (found == nullptr) fail(ErrorKind::internal, "[export] the model has no parameter ", name);
  return *found;
}

ParameterValues OnnxBuilder::values(std::string_view name) const { return weights_(index(name)); }

// ---- constants ----

OnnxBuilder::Value OnnxBuilder::add_constant(OnnxConstant constant) {
  Value name = constant.name;
  if (!std::exchange(known_[name], true)) graph_.constants.push_back(std::move(constant));
  return name;
}

OnnxBuilder::Value OnnxBuilder::weight(const std::string& name) {
  return add_constant({.name = name,
                       .shape = parameter(name).shape,
                       .fill = [source = weights_, index = index(name)](std::span<float> out) {
                         std::copy_n(source(index).data, out.size(), out.data());
                       }});
}

OnnxBuilder::Value OnnxBuilder::transposed(const std::string& name) {
  const std::vector<int64_t>& shape = parameter(name).shape;
  if (shape.size() != 2) fail(ErrorKind::internal, "[export] ", name, " is no matrix");
  return add_constant(
      {.name = name + ".T",
       .shape = {shape[1], shape[0]},
       .fill = [source = weights_, index = index(name), rows = shape[0], cols = shape[1]](std::span<float> out) {
         const ParameterValues values = source(index);
         constexpr int64_t kTile = 32;  // so that both sides stay in the cache
         for (int64_t top = 0; top < rows; top += kTile)
           for (int64_t left = 0; left < cols; left += kTile)
             for (int64_t c = left; c < std::min(left + kTile, cols); ++c)
               for (int64_t r = top; r < std::min(top + kTile, rows); ++r)
                 out[static_cast<std::size_t>(c * rows + r)] = values.data[r * cols + c];
       }});
}

OnnxBuilder::Value OnnxBuilder::floats(const std::string& name, std::vector<int64_t> shape, std::vector<float> values) {
  return add_constant(
      {.name = name, .shape = std::move(shape), .fill = [values = std::move(values)](std::span<float> out) {
         std::ranges::copy(values, out.begin());
       }});
}

OnnxBuilder::Value OnnxBuilder::number(float value) {
  return floats(concat("number ", std::setprecision(std::numeric_limits<float>::max_digits10), value), {}, {value});
}

OnnxBuilder::Value OnnxBuilder::integer(int64_t value) {
  return add_constant({.name = concat("integer ", value), .shape = {}, .integers = {value}});
}

OnnxBuilder::Value OnnxBuilder::integers(const std::vector<int64_t>& values) {
  std::string name = "integers";
  for (const int64_t value : values) name += concat(' ', value);
  return add_constant({.name = name, .shape = {static_cast<int64_t>(values.size())}, .integers = values});
}

// ---- nodes ----

OnnxBuilder::Value OnnxBuilder::named_node(const std::string& op, std::vector<Value> inputs, const Value& output,
                                           std::vector<OnnxAttribute> attributes) {
  graph_.nodes.push_back({.op = op,
                          .name = concat(scope_, '/', op, '_', nodes_of_[scope_]++),
                          .inputs = std::move(inputs),
                          .outputs = {output},
                          .attributes = std::move(attributes)});
  return output;
}

OnnxBuilder::Value OnnxBuilder::node(const std::string& op, std::vector<Value> inputs,
                                     std::vector<OnnxAttribute> attributes) {
  const Value output = concat(scope_, '/', op, '_', nodes_of_[scope_], ".out");
  return named_node(op, std::move(inputs), output, std::move(attributes));
}

std::vector<OnnxBuilder::Value> OnnxBuilder::split(const Value& x, int64_t parts, int64_t axis) {
  named_node("Split", {x}, "", {{"axis", axis}});
  OnnxNode& node = graph_.nodes.back();
  node.outputs.clear();
  for (int64_t i = 0; i < parts; ++i) node.outputs.push_back(concat(node.name, ".out.", i));
  return node.outputs;
}

OnnxBuilder::Value OnnxBuilder::reshape(const Value& x, const std::vector<int64_t>& shape) {
  return node("Reshape", {x, integers(shape)});
}

OnnxBuilder::Value OnnxBuilder::transpose(const Value& x, std::vector<int64_t> order) {
  return node("Transpose", {x}, {{"perm", std::move(order)}});
}

OnnxBuilder::Value OnnxBuilder::slice(const Value& x, int64_t axis, int64_t begin, int64_t end) {
  if (end < 0) end = std::numeric_limits<int64_t>::max();
  return node("Slice", {x, integers({begin}), integers({end}), integers({axis})});
}

}  // namespace vit
