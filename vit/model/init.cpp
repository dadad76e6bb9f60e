// Fresh weights, as the layers declare them.
#include <memory>

#include "vit/core/rng.h"
#include "vit/model/model_file.h"
#include "vit/model/vit.h"

namespace vit {
namespace {

RandomStream stream_of(uint64_t seed, std::size_t parameter) {
  return RandomStream(seed, RandomPurpose::init, parameter);
}

}  // namespace

ParameterLayout parameter_layout(const ModelConfig& config) { return Vit(config).layout(); }

Model make_model(const ModelConfig& config, uint64_t seed) {
  Model model;
  model.config = config;
  model.layout = parameter_layout(config);
  model.weights = ParameterBlock(model.layout.block_size());
  const auto& all = model.layout.all();
  for (std::size_t i = 0; i < all.size(); ++i) draw_values(all[i], stream_of(seed, i), at(model.weights, all[i]));
  return model;
}

ParameterSource fresh_parameters(const ModelConfig& config, uint64_t seed) {
  const auto layout = std::make_shared<ParameterLayout>(parameter_layout(config));
  return [=](int parameter) {
    const Parameter& p = (*layout)[parameter];
    ParameterValues values{nullptr, AlignedBuffer<float>(p.count)};
    draw_values(p, stream_of(seed, static_cast<std::size_t>(parameter)), values.owned.data());
    values.data = values.owned.data();
    return values;
  };
}

}  // namespace vit
