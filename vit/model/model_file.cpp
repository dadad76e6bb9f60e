#include "vit/model/model_file.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>

#include "vit/io/atomic_file.h"
#include "vit/kernels/quantize.h"

namespace vit {
namespace {

constexpr const char* kFormat = "vit-model";
constexpr const char* kVersion = "1";
constexpr const char* kQuantizedVersion = "2";  // what cannot read int8 weights must not try
const std::string kWeights = "/weights/";
const std::string kWeightScales = "/weight_scales/";

nlohmann::json parse_json(const h5::File& file, const std::string& name) {
  const std::string text = file.read_text(name);
  nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded())
    fail(ErrorKind::data, "[model file] ", name, " in ", file.path().string(), " is not JSON; is the file damaged?");
  return json;
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

void check_shape(const h5::File& file, const std::string& name, const std::vector<int64_t>& shape,
                 const h5::DatasetInfo& info) {
  if (info.shape != shape)
    fail(ErrorKind::data, "[model file] ", name, " in ", file.path().string(), " needs ", shape_text(shape), ", has ",
         shape_text(info.shape), "; was the file made for another configuration?");
}

void check_weight(const h5::File& file, const Parameter& p, bool quantized) {
  const std::string where = file.path().string();
  const std::string name = kWeights + p.name;
  if (!file.exists(name)) fail(ErrorKind::data, "[model file] ", p.name, " is missing in ", where);
  const h5::DatasetInfo info = file.info(name);
  if (info.type != (quantized ? h5::Type::i8 : h5::Type::f32))
    fail(ErrorKind::data, "[model file] ", p.name, " in ", where, " needs ",
         quantized ? "int8, as it has an input scale" : "32-bit floats");
  check_shape(file, p.name, p.shape, info);
  if (!quantized) return;
  const std::string scales = kWeightScales + p.name;
  if (!file.exists(scales)) fail(ErrorKind::data, "[model file] ", scales, " is missing in ", where);
  const h5::DatasetInfo scales_info = file.info(scales);
  if (scales_info.type != h5::Type::f32)
    fail(ErrorKind::data, "[model file] ", scales, " in ", where, " needs 32-bit floats");
  check_shape(file, scales, {p.shape[0]}, scales_info);
}

void read_quantized(const h5::File& file, const Parameter& p, float* out) {
  const std::string where = file.path().string();
  AlignedBuffer<int8_t> values(p.count);
  AlignedBuffer<float> scales(p.shape[0]);
  file.read(kWeights + p.name, values.span());
  file.read(kWeightScales + p.name, scales.span());
  for (int8_t value : values.span())
    if (value == -128) fail(ErrorKind::data, "[model file] ", p.name, " in ", where, " needs -127..127, has -128");
  for (float scale : scales.span())
    if (!(std::isnormal(scale) && scale > 0))
      fail(ErrorKind::data, "[model file] ", kWeightScales, p.name, " in ", where, " needs positive numbers, has ",
           scale);
  dequantize_rows({values.data(), {p.shape[0], p.shape[1]}}, scales.span(), {out, {p.shape[0], p.shape[1]}});
}

void read_weight(const h5::File& file, const Parameter& p, bool quantized, float* out) {
  if (quantized)
    read_quantized(file, p, out);
  else
    file.read(kWeights + p.name, std::span<float>(out, static_cast<std::size_t>(p.count)));
  if (!std::all_of(out, out + p.count, [](float x) { return std::isfinite(x); }))
    fail(ErrorKind::data, "[model file] ", p.name, " in ", file.path().string(),
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

/// All but the weights, whose names and shapes are checked before any memory is taken: a config may ask for more than
/// the file holds.
Model read_all_but_weights(const h5::File& file) {
  const bool quantized = check_format(file);
  const std::string where = file.path().string();
  Model model;
  model.config = model_config_from_json(parse_json(file, "/config"), where);
  model.preprocess = parse_json(file, "/preprocess");
  model.training = parse_json(file, "/training");
  model.class_names = file.read_texts("/class_names");
  if (!model.class_names.empty() && static_cast<int64_t>(model.class_names.size()) != model.config.classes)
    fail(ErrorKind::data, "[model file] class_names in ", where, " needs ", model.config.classes, " names, has ",
         model.class_names.size());
  model.layout = parameter_layout(model.config);
  if (quantized) model.quantization = quantization_from_json(parse_json(file, "/quantization"), model.layout, where);
  check_no_strangers(file, model);
  for (const Parameter& p : model.layout.all()) check_weight(file, p, model.quantization.contains(p.name));
  return model;
}

/// The weights in an open file, for one thread at a time.
struct WeightReader {
  h5::File file;
  ParameterLayout layout;
  Quantization quantization;
  std::mutex reading;
};

}  // namespace

Model load_model(const h5::File& file) {
  Model model = read_all_but_weights(file);
  model.weights = ParameterBlock(model.layout.block_size());
  for (const Parameter& p : model.layout.all())
    read_weight(file, p, model.quantization.contains(p.name), at(model.weights, p));
  return model;
}

Model load_model(const std::filesystem::path& path) { return load_model(h5::File::open(path)); }

OpenModel open_model(const std::filesystem::path& path) {
  const auto reader = std::make_shared<WeightReader>(h5::File::open(path));
  OpenModel open{read_all_but_weights(reader->file), {}};
  reader->layout = open.model.layout;
  reader->quantization = open.model.quantization;
  open.weights = [reader](int parameter) {
    const Parameter& p = reader->layout[parameter];
    ParameterValues values{nullptr, AlignedBuffer<float>(p.count)};
    const std::lock_guard lock(reader->reading);
    read_weight(reader->file, p, reader->quantization.contains(p.name), values.owned.data());
    values.data = values.owned.data();
    return values;
  };
  return open;
}

void write_model(h5::File& file, const Model& model) {
  file.write_attribute("/", "format", kFormat);
  file.write_attribute("/", "version", model.quantization.empty() ? kVersion : kQuantizedVersion);
  file.write_text("/config", to_json(model.config).dump(2));
  file.write_text("/preprocess", model.preprocess.dump(2));
  file.write_text("/training", model.training.dump(2));
  file.write_texts("/class_names", model.class_names);
  if (!model.quantization.empty()) file.write_text("/quantization", to_json(model.quantization).dump(2));
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
