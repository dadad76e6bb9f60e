// A model on disk: HDF5 with config, preprocessing, class names, training record and one dataset a weight
// (docs/formats.md). Nothing that a prediction depends on lies elsewhere.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "vit/layers/parameter.h"
#include "vit/model/config.h"
#include "vit/model/quantization.h"

namespace vit {

namespace h5 {
class File;
}

struct Model {
  ModelConfig config;
  nlohmann::json preprocess;             // preprocess/config.h reads it
  std::vector<std::string> class_names;  // empty or one a class
  nlohmann::json origin;                 // {"source", "licence", ...} of weights made elsewhere; may be null
  nlohmann::json training;               // recipe, data checksum, measured accuracy; may be null
  ParameterLayout layout;                // of config
  ParameterBlock weights;
  Quantization quantization;  // empty unless the file keeps matrices as int8
};

/// The layout that the layers of `config` register.
ParameterLayout parameter_layout(const ModelConfig& config);

/// A model with freshly drawn weights, as timm's VisionTransformer draws them by default: truncated normal of
/// deviation 0.02 for Linears and the position table, uniform in +-1/sqrt(3*P*P) for the patch projection, a class
/// token near zero, zero biases, unit norms. The same seed gives the same bits.
Model make_model(const ModelConfig& config, uint64_t seed);

/// Reads and checks a whole model; int8 weights as the floats that they stand for. Throws Error (data) that names file,
/// weight, wanted and got.
Model load_model(const std::filesystem::path& path);
Model load_model(const h5::File& file);

/// A model whose weights are still in the file: `model.weights` is empty, `weights` reads one at a time.
struct OpenModel {
  Model model;
  ParameterSource weights;
};
/// Checks all but the values; those are checked as they are read. Throws Error (data) like load_model.
OpenModel open_model(const std::filesystem::path& path);

/// The values that make_model draws, one parameter at a time.
ParameterSource fresh_parameters(const ModelConfig& config, uint64_t seed);

/// Writes a model into an open file, quantised matrices as int8, (checkpoints add their state to the same file) ...
void write_model(h5::File& file, const Model& model);
/// ... or as a whole file, by temporary name, sync and rename.
void save_model(const std::filesystem::path& path, const Model& model);
/// The same for a model whose weights come from elsewhere: a few of them are in memory at a time.
void save_model(const std::filesystem::path& path, const Model& model, const ParameterSource& weights);

}  // namespace vit
