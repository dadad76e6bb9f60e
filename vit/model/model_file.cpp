#include "vit/model/model_file.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <optional>

#include "vit/core/json_fields.h"
#include "vit/core/json_text.h"
#include "vit/core/parallel.h"
#include "vit/io/atomic_file.h"
#include "vit/io/hdf5.h"
#include "vit/kernels/quantize.h"

namespace vit {
namespace {

constexpr const char* kFormat = "vit-model";
constexpr const char* kVersion = "1";
constexpr const char* kQuantizedVersion = "2";  // what cannot read int8 weights must not try
const std::string kWeights = "/weights/";
const std::string kWeightScales = "/weight_scales/";

nlohmann::json read_json(const h5::File& file, const std::string& name) {
  return parse_json(file.read_text(name), "model file", concat(name, " in ", file.path().string()));
}

/// Null in files of models that were drawn here.
nlohmann::json read_origin(const h5::File& file) {
  if (!file.exists("/origin")) return {};
  nlohmann::json origin = read_json(file, "/origin");
  if (!origin.is_object())
    fail(ErrorKind::data, "[model file] /origin in ", file.path().string(), " needs an object, has ",
         origin.type_name());
  return origin;
}

/// True for the version of quantised models.
bool check_format(const h5::File& file) {
  const std::string where = file.path().string();
  if (!file.has_attribute("/", "format") || file.read_attribute("/", "format") != kFormat)
    fail(ErrorKind::data, "[model file] ", where,
         " is not a model of this program; was it made by `vit train` or `vit model`?");
  const std::string version = file.read_attribute("/", "version");
  if (version != kVersion && version != kQuantizedVersion)
    fail(ErrorKind::data, "[model file] ", where, " has version ", version, ", this program reads ", kVersion, " and ",
         kQuantizedVersion);
  return version == kQuantizedVersion;
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += concat(i == 0 ? "" : ", ", shape[i]);
  return text + "]";
}

/// The places of a parameter's values in a file.
struct StoredWeight {
  h5::Dataset values;
  std::optional<h5::Dataset> scales;  // of int8 values
};

h5::Dataset find(const h5::File& file, const std::string& group, const Parameter& p, h5::Type type,
                 const std::vector<int64_t>& shape, const char* type_text) {
  const std::string where = file.path().string();
  const std::string name = group == kWeights ? p.name : group + p.name;  // for messages
  std::optional<h5::Dataset> dataset = file.find(group + p.name);
  if (!dataset) fail(ErrorKind::data, "[model file] ", name, " is missing in ", where);
  if (dataset->info().type != type) fail(ErrorKind::data, "[model file] ", name, " in ", where, " needs ", type_text);
  if (dataset->info().shape != shape)
    fail(ErrorKind::data, "[model file] ", name, " in ", where, " needs ", shape_text(shape), ", has ",
         shape_text(dataset->info().shape), "; was the file made for another configuration?");
  return *std::move(dataset);
}

StoredWeight find_weight(const h5::File& file, const Parameter& p, bool quantized) {
  if (!quantized) return {find(file, kWeights, p, h5::Type::f32, p.shape, "32-bit floats"), {}};
  return {find(file, kWeights, p, h5::Type::i8, p.shape, "int8, as it has an input scale"),
          find(file, kWeightScales, p, h5::Type::f32, {p.shape[0]}, "32-bit floats")};
}

void read_quantized(const StoredWeight& stored, const Parameter& p, const std::string& where, float* out) {
  AlignedBuffer<int8_t> values(p.count);
  AlignedBuffer<float> scales(p.shape[0]);
  stored.values.read(values.span());
  stored.scales->read(scales.span());
  for (int8_t value : values.span())
    if (value == -128) fail(ErrorKind::data, "[model file] ", p.name, " in ", where, " needs -127..127, has -128");
  for (float scale : scales.span())
    if (!(std::isnormal(scale) && scale > 0))
      fail(ErrorKind::data, "[model file] ", kWeightScales, p.name, " in ", where, " needs positive numbers, has ",
           scale);
  dequantize_rows({values.data(), {p.shape[0], p.shape[1]}}, scales.span(), {out, {p.shape[0], p.shape[1]}});
}

bool all_finite(const float* x, int64_t count) {
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t found = 0;  // without a way out, so that the compiler can use vectors
  for (int64_t i = 0; i < count; ++i) found |= (std::bit_cast<uint32_t>(x[i]) & kExponent) == kExponent;
  return found == 0;
}

void read_weight(const StoredWeight& stored, const Parameter& p, const std::string& where, float* out) {
  if (stored.scales)
    read_quantized(stored, p, where, out);
  else
    stored.values.read(std::span<float>(out, static_cast<std::size_t>(p.count)));
  if (!all_finite(out, p.count))
    fail(ErrorKind::data, "[model file] ", p.name, " in ", where,
         " holds a value that is not finite; did training diverge?");
}

void check_no_strangers(const h5::File& file, const Model& model) {
  const std::string where = file.path().string();
  for (const std::string& name : file.children("/weights"))
    if (model.layout.find(name) == nullptr)
      fail(ErrorKind::data, "[model file] ", name, " in ", where,
           " has no place in the configuration; was the config edited?");
  if (model.quantization.empty()) return;
  for (const std::string& name : file.children("/weight_scales"))
    if (!model.quantization.contains(name))
      fail(ErrorKind::data, "[model file] ", kWeightScales, name, " in ", where, " has no input scale");
}

void write_quantized(h5::File& file, const Model& model, const Parameter& p) {
  const QuantizedRows rows = quantize_rows({at(model.weights, p), {p.shape[0], p.shape[1]}});
  file.write(kWeights + p.name, p.shape, rows.values.span());
  file.write(kWeightScales + p.name, {p.shape[0]}, std::span<const float>(rows.scales));
}

struct OpenedModel {
  Model model;  // without weights
  std::vector<StoredWeight> weights;
};

/// All but the weights, whose names and shapes are checked before any memory is taken: a config may ask for more than
/// the file holds.
OpenedModel read_all_but_weights(const h5::File& file) {
  const bool quantized = check_format(file);
  const std::string where = file.path().string();
  OpenedModel opened;
  Model& model = opened.model;
  model.config = model_config_from_json(read_json(file, "/config"), where);
  model.preprocess = read_json(file, "/preprocess");
  model.origin = read_origin(file);
  model.training = read_json(file, "/training");
  model.class_names = file.read_texts("/class_names");
  if (!model.class_names.empty() && static_cast<int64_t>(model.class_names.size()) != model.config.classes)
    fail(ErrorKind::data, "[model file] class_names in ", where, " needs ", model.config.classes, " names, has ",
         model.class_names.size());
  model.layout = parameter_layout(model.config);
  if (quantized) model.quantization = quantization_from_json(read_json(file, "/quantization"), model.layout, where);
  check_no_strangers(file, model);
  for (const Parameter& p : model.layout.all())
    opened.weights.push_back(find_weight(file, p, model.quantization.contains(p.name)));
  return opened;
}

/// Reads the weights of an open file for any number of threads.
struct WeightReader {
  std::string where;
  ParameterLayout layout;
  std::vector<StoredWeight> weights;

  ParameterValues operator()(int parameter) const {
    const Parameter& p = layout[parameter];
    ParameterValues values{nullptr, AlignedBuffer<float>::for_overwrite(p.count)};
    read_weight(weights[static_cast<std::size_t>(parameter)], p, where, values.owned.data());
    values.data = values.owned.data();
    return values;
  }
};

}  // namespace

Model load_model(const h5::File& file) {
  OpenedModel opened = read_all_but_weights(file);
  Model& model = opened.model;
  model.weights = ParameterBlock(model.layout.block_size());
  const auto parameters = static_cast<int64_t>(opened.weights.size());
  parallel_for(parameters, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Parameter& p = model.layout[static_cast<int>(i)];
      read_weight(opened.weights[static_cast<std::size_t>(i)], p, file.path().string(), at(model.weights, p));
    }
  });
  return std::move(opened.model);
}

Model load_model(const std::filesystem::path& path) { return load_model(h5::File::open(path)); }

OpenModel open_model(const std::filesystem::path& path) {
  const h5::File file = h5::File::open(path);
  OpenedModel opened = read_all_but_weights(file);
  const auto reader = std::make_shared<WeightReader>(path.string(), opened.model.layout, std::move(opened.weights));
  return {std::move(opened.model), [reader](int parameter) { return (*reader)(parameter); }};
}

void write_model(h5::File& file, const Model& model) {
  file.write_attribute("/", "format", kFormat);
  file.write_attribute("/", "version", model.quantization.empty() ? kVersion : kQuantizedVersion);
  file.write_text("/config", json_text(to_json(model.config), 2));
  file.write_text("/preprocess", json_text(model.preprocess, 2));
  if (!model.origin.is_null()) file.write_text("/origin", json_text(model.origin, 2));
  file.write_text("/training", json_text(model.training, 2));
  file.write_texts("/class_names", model.class_names);
  if (!model.quantization.empty()) file.write_text("/quantization", json_text(to_json(model.quantization), 2));
  for (const Parameter& p : model.layout.all()) {
    if (model.quantization.contains(p.name))
      write_quantized(file, model, p);
    else
      file.write(kWeights + p.name, p.shape,
                 std::span<const float>(at(model.weights, p), static_cast<std::size_t>(p.count)));
  }
}

void save_model(const std::filesystem::path& path, const Model& model) {
  write_atomically(path, [&](const std::filesystem::path& temporary) {
    h5::File file = h5::File::create(temporary);
    write_model(file, model);
    file.close();
  });
}

}  // namespace vit
