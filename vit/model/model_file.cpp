#include "vit/model/model_file.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>

#include "vit/io/atomic_file.h"

namespace vit {
namespace {

constexpr const char* kFormat = "vit-model";
constexpr const char* kVersion = "1";
const std::string kWeights = "/weights/";

nlohmann::json parse_json(const h5::File& file, const std::string& name) {
  const std::string text = file.read_text(name);
  nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded())
    fail(ErrorKind::data, "[model file] ", name, " in ", file.path().string(), " is not JSON; is the file damaged?");
  return json;
}

void check_format(const h5::File& file) {
  const std::string where = file.path().string();
  if (!file.has_attribute("/", "format") || file.read_attribute("/", "format") != kFormat)
    fail(ErrorKind::data, "[model file] ", where,
         " is not a model of this program; was it made by `vit train` or `vit model`?");
  const std::string version = file.read_attribute("/", "version");
  if (version != kVersion)
    fail(ErrorKind::data, "[model file] ", where, " has version ", version, ", this program reads ", kVersion);
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += concat(i == 0 ? "" : ", ", shape[i]);
  return text + "]";
}

void check_weight(const h5::File& file, const Parameter& p) {
  const std::string where = file.path().string();
  const std::string name = kWeights + p.name;
  if (!file.exists(name)) fail(ErrorKind::data, "[model file] ", p.name, " is missing in ", where);
  const h5::DatasetInfo info = file.info(name);
  if (info.type != h5::Type::f32) fail(ErrorKind::data, "[model file] ", p.name, " in ", where, " needs 32-bit floats");
  if (info.shape != p.shape)
    fail(ErrorKind::data, "[model file] ", p.name, " in ", where, " needs ", shape_text(p.shape), ", has ",
         shape_text(info.shape), "; was the file made for another configuration?");
}

void read_weight(const h5::File& file, const Parameter& p, float* out) {
  const std::string where = file.path().string();
  const std::string name = kWeights + p.name;
  file.read(name, std::span<float>(out, static_cast<std::size_t>(p.count)));
  if (!std::all_of(out, out + p.count, [](float x) { return std::isfinite(x); }))
    fail(ErrorKind::data, "[model file] ", p.name, " in ", where,
         " holds a value that is not finite; did training diverge?");
}

void check_no_strangers(const h5::File& file, const ParameterLayout& layout) {
  for (const std::string& name : file.children("/weights"))
    if (layout.find(name) == nullptr)
      fail(ErrorKind::data, "[model file] ", name, " in ", file.path().string(),
           " has no place in the configuration; was the config edited?");
}

}  // namespace

namespace {

/// All but the weights, whose names and shapes are checked before any memory is taken: a config may ask for more than
/// the file holds.
Model read_all_but_weights(const h5::File& file) {
  check_format(file);
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
  check_no_strangers(file, model.layout);
  for (const Parameter& p : model.layout.all()) check_weight(file, p);
  return model;
}

/// The weights in an open file, for one thread at a time.
struct WeightReader {
  h5::File file;
  ParameterLayout layout;
  std::mutex reading;
};

}  // namespace

Model load_model(const h5::File& file) {
  Model model = read_all_but_weights(file);
  model.weights = ParameterBlock(model.layout.block_size());
  for (const Parameter& p : model.layout.all()) read_weight(file, p, at(model.weights, p));
  return model;
}

Model load_model(const std::filesystem::path& path) { return load_model(h5::File::open(path)); }

OpenModel open_model(const std::filesystem::path& path) {
  const auto reader = std::make_shared<WeightReader>(h5::File::open(path));
  OpenModel open{read_all_but_weights(reader->file), {}};
  reader->layout = open.model.layout;
  open.weights = [reader](int parameter) {
    const Parameter& p = reader->layout[parameter];
    ParameterValues values{nullptr, AlignedBuffer<float>(p.count)};
    const std::lock_guard lock(reader->reading);
    read_weight(reader->file, p, values.owned.data());
    values.data = values.owned.data();
    return values;
  };
  return open;
}

void write_model(h5::File& file, const Model& model) {
  file.write_attribute("/", "format", kFormat);
  file.write_attribute("/", "version", kVersion);
  file.write_text("/config", to_json(model.config).dump(2));
  file.write_text("/preprocess", model.preprocess.dump(2));
  file.write_text("/training", model.training.dump(2));
  file.write_texts("/class_names", model.class_names);
  for (const Parameter& p : model.layout.all())
    file.write(kWeights + p.name, p.shape,
               std::span<const float>(at(model.weights, p), static_cast<std::size_t>(p.count)));
}

void save_model(const std::filesystem::path& path, const Model& model) {
  write_atomically(path, [&](const std::filesystem::path& temporary) {
    h5::File file = h5::File::create(temporary);
    write_model(file, model);
    file.close();
  });
}

}  // namespace vit
