#include "tests/onnx/evaluator.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace vit::test {
namespace {

using Shape = std::vector<int64_t>;
using Inputs = std::vector<OnnxTensor>;

void need(bool good, const std::string& what) {
  if (!good) throw std::runtime_error("onnx: " + what);
}

int64_t count(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}
std::size_t at(int64_t i) { return static_cast<std::size_t>(i); }

OnnxTensor zeros(const Shape& shape) { return {shape, std::vector<float>(at(count(shape))), {}}; }

Shape strides_of(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (std::size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

/// The place of an index of `shape` in a tensor that is broadcast to it.
int64_t broadcast_place(const Shape& index, const Shape& shape) {
  const Shape strides = strides_of(shape);
  int64_t place = 0;
  const std::size_t skip = index.size() - shape.size();
  for (std::size_t d = 0; d < shape.size(); ++d) place += (shape[d] == 1 ? 0 : index[d + skip]) * strides[d];
  return place;
}

/// Calls body(index) for each index of a shape, in order.
template <class Body>
void for_each_index(const Shape& shape, Body body) {
  Shape index(shape.size(), 0);
  for (int64_t i = 0, n = count(shape); i < n; ++i) {
    body(index);
    for (std::size_t d = shape.size(); d-- > 0 && ++index[d] == shape[d];) index[d] = 0;
  }
}

Shape broadcast(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()), 1);
  for (std::size_t d = 0; d < out.size(); ++d) {
    const int64_t from_a = d < a.size() ? a[a.size() - 1 - d] : 1, from_b = d < b.size() ? b[b.size() - 1 - d] : 1;
    need(from_a == from_b || from_a == 1 || from_b == 1, "shapes that do not broadcast");
    out[out.size() - 1 - d] = std::max(from_a, from_b);
  }
  return out;
}

class Attributes {
 public:
  explicit Attributes(const onnx::NodeProto& node) : node_(node) {}
  int64_t integer(const char* name, int64_t fallback) const {
    const onnx::AttributeProto* found = find(name);
    return found == nullptr ? fallback : found->i();
  }
  float number(const char* name, float fallback) const {
    const onnx::AttributeProto* found = find(name);
    return found == nullptr ? fallback : found->f();
  }
  Shape integers(const char* name, const Shape& fallback) const {
    const onnx::AttributeProto* found = find(name);
    return found == nullptr ? fallback : Shape(found->ints().begin(), found->ints().end());
  }

 private:
  const onnx::AttributeProto* find(const std::string& name) const {
    for (const onnx::AttributeProto& a : node_.attribute())
      if (a.name() == name) return &a;
    return nullptr;
  }
  const onnx::NodeProto& node_;
};

std::size_t axis_of(int64_t axis, const OnnxTensor& x) {
  return at(axis < 0 ? axis + static_cast<int64_t>(x.shape.size()) : axis);
}

OnnxTensor each(OnnxTensor x, const std::function<float(float)>& f) {
  std::transform(x.values.begin(), x.values.end(), x.values.begin(), f);
  return x;
}

OnnxTensor both(const OnnxTensor& a, const OnnxTensor& b, const std::function<float(float, float)>& f) {
  OnnxTensor out{broadcast(a.shape, b.shape), {}, {}};
  for_each_index(out.shape, [&](const Shape& index) {
    out.values.push_back(
        f(a.values[at(broadcast_place(index, a.shape))], b.values[at(broadcast_place(index, b.shape))]));
  });
  return out;
}

OnnxTensor mat_mul(const OnnxTensor& a, const OnnxTensor& b) {
  const int64_t rows = a.shape[a.shape.size() - 2], inner = a.shape.back(), cols = b.shape.back();
  need(inner == b.shape[b.shape.size() - 2], "a product of other sizes");
  const Shape outer_a(a.shape.begin(), a.shape.end() - 2), outer_b(b.shape.begin(), b.shape.end() - 2);
  const Shape outer = broadcast(outer_a, outer_b);
  OnnxTensor out{outer, {}, {}};
  out.shape.insert(out.shape.end(), {rows, cols});
  for_each_index(outer, [&](const Shape& index) {
    const float* x = a.values.data() + broadcast_place(index, outer_a) * rows * inner;
    const float* y = b.values.data() + broadcast_place(index, outer_b) * inner * cols;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c) {
        double sum = 0;
        for (int64_t i = 0; i < inner; ++i) sum += double{x[r * inner + i]} * double{y[i * cols + c]};
        out.values.push_back(static_cast<float>(sum));
      }
  });
  return out;
}

OnnxTensor transpose(const OnnxTensor& x, const Shape& order) {
  OnnxTensor out;
  for (const int64_t d : order) out.shape.push_back(x.shape[at(d)]);
  const Shape strides = strides_of(x.shape);
  for_each_index(out.shape, [&](const Shape& index) {
    int64_t place = 0;
    for (std::size_t d = 0; d < order.size(); ++d) place += index[d] * strides[at(order[d])];
    out.values.push_back(x.values[at(place)]);
  });
  return out;
}

OnnxTensor reshape(OnnxTensor x, const Shape& sizes) {
  Shape shape = sizes;
  std::size_t open = shape.size();
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 0) shape[d] = x.shape[d];
    if (shape[d] == -1) open = d;
  }
  if (open < shape.size()) {
    shape[open] = 1;
    shape[open] = count(x.shape) / count(shape);
  }
  need(count(shape) == count(x.shape), "a reshape of another size");
  x.shape = shape;
  return x;
}

/// Indices of one axis, in their order.
OnnxTensor pick(const OnnxTensor& x, std::size_t axis, const Shape& indices) {
  OnnxTensor out;
  out.shape = x.shape;
  out.shape[axis] = static_cast<int64_t>(indices.size());
  for_each_index(out.shape, [&](Shape index) {
    index[axis] = indices[at(index[axis])];
    out.values.push_back(x.values[at(broadcast_place(index, x.shape))]);
  });
  return out;
}

OnnxTensor gather(const OnnxTensor& x, const OnnxTensor& indices, std::size_t axis) {
  OnnxTensor out = pick(x, axis, indices.integers);
  if (indices.shape.empty()) out.shape.erase(out.shape.begin() + static_cast<std::ptrdiff_t>(axis));
  return out;
}

OnnxTensor slice(const Inputs& in) {
  const std::size_t axis = axis_of(in[3].integers.at(0), in[0]);
  Shape indices;
  for (int64_t i = in[1].integers.at(0); i < std::min(in[2].integers.at(0), in[0].shape[axis]); ++i)
    indices.push_back(i);
  return pick(in[0], axis, indices);
}

std::vector<OnnxTensor> split(const OnnxTensor& x, std::size_t axis, int parts) {
  std::vector<OnnxTensor> out;
  const int64_t size = x.shape[axis] / parts;
  for (int p = 0; p < parts; ++p) {
    Shape indices(at(size));
    std::iota(indices.begin(), indices.end(), p * size);
    out.push_back(pick(x, axis, indices));
  }
  return out;
}

OnnxTensor concat_tensors(const Inputs& in, std::size_t axis) {
  OnnxTensor out;
  out.shape = in[0].shape;
  out.shape[axis] = 0;
  for (const OnnxTensor& x : in) out.shape[axis] += x.shape[axis];
  for_each_index(out.shape, [&](Shape index) {
    std::size_t part = 0;
    for (; index[axis] >= in[part].shape[axis]; ++part) index[axis] -= in[part].shape[axis];
    out.values.push_back(in[part].values[at(broadcast_place(index, in[part].shape))]);
  });
  return out;
}

OnnxTensor pad(const OnnxTensor& x, const Shape& pads) {
  const std::size_t rank = x.shape.size();
  OnnxTensor out;
  out.shape = x.shape;
  for (std::size_t d = 0; d < rank; ++d) out.shape[d] += pads[d] + pads[d + rank];
  for_each_index(out.shape, [&](Shape index) {
    bool inside = true;
    for (std::size_t d = 0; d < rank; ++d) {
      index[d] -= pads[d];
      inside = inside && index[d] >= 0 && index[d] < x.shape[d];
    }
    out.values.push_back(inside ? x.values[at(broadcast_place(index, x.shape))] : 0);
  });
  return out;
}

/// body(row of the last axis).
template <class Body>
OnnxTensor over_rows(OnnxTensor x, Body body) {
  const int64_t width = x.shape.back();
  for (int64_t i = 0; i < count(x.shape); i += width) body(x.values.data() + i, width);
  return x;
}

OnnxTensor softmax(OnnxTensor x) {
  return over_rows(std::move(x), [](float* row, int64_t n) {
    const float top = *std::max_element(row, row + n);
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += double{row[i] = std::exp(row[i] - top)};
    for (int64_t i = 0; i < n; ++i) row[i] = static_cast<float>(double{row[i]} / sum);
  });
}

OnnxTensor layer_norm(const Inputs& in, float eps) {
  return over_rows(in[0], [&](float* row, int64_t n) {
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n; ++i) mean += double{row[i]} / static_cast<double>(n);
    for (int64_t i = 0; i < n; ++i) square += std::pow(double{row[i]} - mean, 2) / static_cast<double>(n);
    for (int64_t i = 0; i < n; ++i)
      row[i] = static_cast<float>((double{row[i]} - mean) / std::sqrt(square + double{eps})) * in[1].values[at(i)] +
               in[2].values[at(i)];
  });
}

OnnxTensor reduce_mean(const OnnxTensor& x, std::size_t axis, bool keep) {
  OnnxTensor out = x;
  out.shape[axis] = 1;
  out = zeros(out.shape);
  for_each_index(x.shape, [&](const Shape& index) {
    out.values[at(broadcast_place(index, out.shape))] +=
        x.values[at(broadcast_place(index, x.shape))] / static_cast<float>(x.shape[axis]);
  });
  if (!keep) out.shape.erase(out.shape.begin() + static_cast<std::ptrdiff_t>(axis));
  return out;
}

struct Windows {
  int64_t side, stride, before, out;
};
Windows windows_of(const Attributes& a, int64_t size) {
  const int64_t side = a.integers("kernel_shape", {}).at(0), stride = a.integers("strides", {}).at(0);
  const int64_t before = a.integers("pads", {0, 0, 0, 0}).at(0);
  return {side, stride, before, (size + 2 * before - side) / stride + 1};
}

/// fold(sum so far, value, channel, place in the window) over each window of each channel; [B, C, S, S].
template <class Fold>
void over_windows(const OnnxTensor& x, const Windows& w, int64_t image, int64_t row, int64_t col, Fold fold) {
  const int64_t channels = x.shape[1], size = x.shape[2];
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t i = 0; i < w.side * w.side; ++i) {
      const int64_t y = row * w.stride - w.before + i / w.side, at_x = col * w.stride - w.before + i % w.side;
      if (y >= 0 && y < size && at_x >= 0 && at_x < size)
        fold(c, i, x.values[at(((image * channels + c) * size + y) * size + at_x)]);
    }
}

OnnxTensor convolution(const Inputs& in, const Attributes& a) {
  const Windows w = windows_of(a, in[0].shape[2]);
  OnnxTensor out{{in[0].shape[0], in[1].shape[0], w.out, w.out}, {}, {}};
  for_each_index(out.shape, [&](const Shape& i) {
    double sum = in.size() > 2 ? double{in[2].values[at(i[1])]} : 0;
    over_windows(in[0], w, i[0], i[2], i[3], [&](int64_t channel, int64_t place, float x) {
      sum += double{x} * double{in[1].values[at((i[1] * in[0].shape[1] + channel) * w.side * w.side + place)]};
    });
    out.values.push_back(static_cast<float>(sum));
  });
  return out;
}

OnnxTensor max_pool(const OnnxTensor& x, const Attributes& a) {
  const Windows w = windows_of(a, x.shape[2]);
  OnnxTensor out{{x.shape[0], x.shape[1], w.out, w.out}, {}, {}};
  for_each_index(out.shape, [&](const Shape& i) {
    float top = -std::numeric_limits<float>::infinity();
    over_windows(x, w, i[0], i[2], i[3], [&](int64_t channel, int64_t, float value) {
      if (channel == i[1]) top = std::max(top, value);
    });
    out.values.push_back(top);
  });
  return out;
}

OnnxTensor gemm(const Inputs& in, const Attributes& a) {
  const OnnxTensor product = mat_mul(in[0], a.integer("transB", 0) == 1 ? transpose(in[1], {1, 0}) : in[1]);
  return in.size() > 2 ? both(product, in[2], std::plus<>()) : product;
}

std::vector<OnnxTensor> run_node(const onnx::NodeProto& node, const Inputs& in) {
  const Attributes a(node);
  const std::string& op = node.op_type();
  const auto axis = [&](int64_t fallback) { return axis_of(a.integer("axis", fallback), in[0]); };
  if (op == "Identity") return {in[0]};
  if (op == "Add") return {both(in[0], in[1], std::plus<>())};
  if (op == "Mul") return {both(in[0], in[1], std::multiplies<>())};
  if (op == "Div") return {both(in[0], in[1], std::divides<>())};
  if (op == "Sqrt") return {each(in[0], [](float x) { return std::sqrt(x); })};
  if (op == "Erf") return {each(in[0], [](float x) { return std::erf(x); })};
  if (op == "Tanh") return {each(in[0], [](float x) { return std::tanh(x); })};
  if (op == "Sigmoid") return {each(in[0], [](float x) { return 1 / (1 + std::exp(-x)); })};
  if (op == "Relu") return {each(in[0], [](float x) { return std::max(x, 0.0f); })};
  if (op == "MatMul") return {mat_mul(in[0], in[1])};
  if (op == "Gemm") return {gemm(in, a)};
  if (op == "Conv") return {convolution(in, a)};
  if (op == "MaxPool") return {max_pool(in[0], a)};
  if (op == "Transpose") return {transpose(in[0], a.integers("perm", {}))};
  if (op == "Reshape") return {reshape(in[0], in[1].integers)};
  if (op == "Pad") return {pad(in[0], in[1].integers)};
  if (op == "Slice") return {slice(in)};
  if (op == "Gather") return {gather(in[0], in[1], axis(0))};
  if (op == "Split") return split(in[0], axis(0), node.output_size());
  if (op == "Concat") return {concat_tensors(in, axis(0))};
  if (op == "Softmax") return {softmax(in[0])};
  if (op == "LayerNormalization") return {layer_norm(in, a.number("epsilon", 1e-5f))};
  if (op == "ReduceMean")
    return {reduce_mean(in[0], axis_of(a.integers("axes", {}).at(0), in[0]), a.integer("keepdims", 1) == 1)};
  throw std::runtime_error("onnx: the evaluator has no " + op);
}

}  // namespace

OnnxTensor constant_of(const onnx::TensorProto& tensor) {
  OnnxTensor out{{tensor.dims().begin(), tensor.dims().end()}, {}, {}};
  const std::string& raw = tensor.raw_data();
  const auto fill = [&](auto& values) {
    values.resize(at(count(out.shape)));
    need(raw.size() == values.size() * sizeof(values[0]), tensor.name() + " has bytes of another number");
    std::memcpy(values.data(), raw.data(), raw.size());
  };
  if (tensor.data_type() == onnx::TensorProto::FLOAT)
    fill(out.values);
  else
    fill(out.integers);
  return out;
}

std::map<std::string, OnnxTensor> run_onnx(const onnx::GraphProto& graph, const OnnxTensor& input) {
  std::map<std::string, OnnxTensor> values;
  for (const onnx::TensorProto& tensor : graph.initializer()) values[tensor.name()] = constant_of(tensor);
  values[graph.input(0).name()] = input;
  for (const onnx::NodeProto& node : graph.node()) {
    Inputs inputs;
    for (const std::string& name : node.input()) inputs.push_back(values.at(name));
    const std::vector<OnnxTensor> outputs = run_node(node, inputs);
    need(static_cast<int>(outputs.size()) == node.output_size(), node.name() + " has other outputs");
    for (int i = 0; i < node.output_size(); ++i) values[node.output(i)] = outputs[at(i)];
  }
  return values;
}

}  // namespace vit::test
