#include "infer/export/onnx_file.h"

#include "vit/core/error.h"

#ifdef VIT_WITH_ONNX

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <fstream>
#include <map>
#include <string>

#include "vit/core/buffer.h"
#include "vit/io/atomic_file.h"

#endif

namespace vit {

#ifndef VIT_WITH_ONNX

bool has_onnx() { return false; }

void need_onnx() {
  fail(ErrorKind::usage,
       "[export] this program was built without ONNX; build it again where there are libonnx-dev and libprotobuf-dev");
}

std::filesystem::path onnx_data_file(const OnnxGraph&, const std::filesystem::path&, int64_t) { return {}; }

void write_onnx_data(const OnnxGraph&, const std::filesystem::path&) { need_onnx(); }

void write_onnx(const OnnxGraph&, const std::filesystem::path&, int64_t) { need_onnx(); }

#else

namespace {

namespace fs = std::filesystem;

constexpr int64_t kIrVersion = 8;
constexpr int64_t kOpset = 17;
constexpr int64_t kInlineAlways = 1024;  // bytes of a constant: shapes and numbers, which tools want to see
constexpr int64_t kAlignment = 4096;     // of constants in their own file, so that it can be mapped

static_assert(std::endian::native == std::endian::little);  // as raw data are

int64_t bytes_of(const OnnxConstant& c) {
  return c.count() * static_cast<int64_t>(c.fill ? sizeof(float) : sizeof(int64_t));
}

struct Place {
  int64_t offset = 0;
  int64_t bytes = 0;
};
/// Where large floats lie in their own file.
std::map<std::string, Place> places_of(const OnnxGraph& graph) {
  std::map<std::string, Place> places;
  int64_t end = 0;
  for (const OnnxConstant& c : graph.constants) {
    const int64_t bytes = bytes_of(c);
    if (bytes <= kInlineAlways || !c.fill) continue;
    end = (end + kAlignment - 1) / kAlignment * kAlignment;
    places[c.name] = {end, bytes};
    end += bytes;
  }
  return places;
}

/// Calls body(floats) with the values that the constant makes.
template <class Body>
void with_floats(const OnnxConstant& c, Body body) {
  AlignedBuffer<float> values(c.count());
  c.fill(values.span());
  body(std::span<const float>(values.span()));
}

void set_external(onnx::TensorProto& tensor, const Place& place, const std::string& file) {
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  const auto add = [&](const char* key, const std::string& value) {
    onnx::StringStringEntryProto* entry = tensor.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  };
  add("location", file);
  add("offset", std::to_string(place.offset));
  add("length", std::to_string(place.bytes));
}

void add_constant(const OnnxConstant& c, onnx::GraphProto& graph) {
  onnx::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(c.name);
  for (const int64_t size : c.shape) tensor.add_dims(size);
  tensor.set_data_type(c.fill ? onnx::TensorProto::FLOAT : onnx::TensorProto::INT64);
}

void set_inline(const OnnxConstant& c, onnx::TensorProto& tensor) {
  const auto set = [&](const void* data) { tensor.set_raw_data(data, static_cast<std::size_t>(bytes_of(c))); };
  if (c.fill)
    with_floats(c, [&](std::span<const float> values) { set(values.data()); });
  else
    set(c.integers.data());
}

void set_value(const OnnxAttribute& from, onnx::AttributeProto& to) {
  to.set_name(from.name);
  if (const auto* integer = std::get_if<int64_t>(&from.value)) {
    to.set_type(onnx::AttributeProto::INT);
    to.set_i(*integer);
  } else if (const auto* number = std::get_if<float>(&from.value)) {
    to.set_type(onnx::AttributeProto::FLOAT);
    to.set_f(*number);
  } else {
    to.set_type(onnx::AttributeProto::INTS);
    for (const int64_t i : std::get<std::vector<int64_t> >(from.value)) to.add_ints(i);
  }
}

void add_node(const OnnxNode& from, onnx::GraphProto& graph) {
  onnx::NodeProto& node = *graph.add_node();
  node.set_op_type(from.op);
  node.set_name(from.name);
  for (const std::string& name : from.inputs) node.add_input(name);
  for (const std::string& name : from.outputs) node.add_output(name);
  for (const OnnxAttribute& attribute : from.attributes) set_value(attribute, *node.add_attribute());
}

void set_port(const OnnxPort& from, onnx::ValueInfoProto& to) {
  to.set_name(from.name);
  if (!from.help.empty()) to.set_doc_string(from.help);
  onnx::TypeProto::Tensor& type = *to.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  type.mutable_shape()->add_dim()->set_dim_param("batch");
  for (const int64_t size : from.sizes) type.mutable_shape()->add_dim()->set_dim_value(size);
}

/// All but the values of the constants.
onnx::ModelProto outline(const OnnxGraph& from) {
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("vit");
  if (!from.producer_version.empty()) model.set_producer_version(from.producer_version);
  onnx::OperatorSetIdProto& opset = *model.add_opset_import();
  opset.set_domain("");
  opset.set_version(kOpset);
  for (const auto& [key, value] : from.metadata) {
    onnx::StringStringEntryProto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name(from.name);
  set_port(from.input, *graph.add_input());
  set_port(from.output, *graph.add_output());
  for (const OnnxNode& node : from.nodes) add_node(node, graph);
  for (const OnnxConstant& constant : from.constants) add_constant(constant, graph);
  return model;
}

fs::path data_file_of(const fs::path& path) { return path.string() + ".data"; }

/// Calls write(stream) for a new file at `path`.
template <class Write>
void write_stream(const fs::path& path, Write write) {
  write_atomically(path, [&](const fs::path& temporary) {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    const bool written = write(out) && out.flush().good();
    if (!written) fail(ErrorKind::io, "[export] cannot write ", path.string(), "; is the disk full?");
  });
}

void write_places(const OnnxGraph& graph, const std::map<std::string, Place>& places, std::ostream& out) {
  int64_t end = 0;
  for (const OnnxConstant& c : graph.constants) {
    const auto place = places.find(c.name);
    if (place == places.end()) continue;
    const std::string gap(static_cast<std::size_t>(place->second.offset - end), '\0');
    out.write(gap.data(), static_cast<std::streamsize>(gap.size()));
    with_floats(c, [&](std::span<const float> values) {
      out.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
    });
    end = place->second.offset + place->second.bytes;
  }
}

}  // namespace

bool has_onnx() { return true; }

void need_onnx() {}

fs::path onnx_data_file(const OnnxGraph& graph, const fs::path& path, int64_t inline_bytes) {
  int64_t bytes = 0;
  for (const OnnxConstant& c : graph.constants) bytes += bytes_of(c);
  return bytes > inline_bytes ? data_file_of(path) : fs::path();
}

void write_onnx_data(const OnnxGraph& graph, const fs::path& path) {
  write_stream(data_file_of(path), [&](std::ostream& out) {
    write_places(graph, places_of(graph), out);
    return out.good();
  });
}

void write_onnx(const OnnxGraph& graph, const fs::path& path, int64_t inline_bytes) {
  const fs::path data_file = onnx_data_file(graph, path, inline_bytes);
  const std::map<std::string, Place> places = data_file.empty() ? std::map<std::string, Place>() : places_of(graph);
  onnx::ModelProto model = outline(graph);
  for (int i = 0; i < model.graph().initializer_size(); ++i) {
    onnx::TensorProto& tensor = *model.mutable_graph()->mutable_initializer(i);
    const auto place = places.find(tensor.name());
    if (place == places.end())
      set_inline(graph.constants[static_cast<std::size_t>(i)], tensor);
    else
      set_external(tensor, place->second, data_file.filename().string());
  }
  write_stream(path, [&](std::ostream& out) { return model.SerializeToOstream(&out); });
}

#endif

}  // namespace vit
