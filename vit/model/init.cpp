// Fresh weights, as timm's VisionTransformer draws them by default.
#include <algorithm>

#include "vit/core/rng.h"
#include "vit/model/model_file.h"
#include "vit/model/vit.h"

namespace vit {
namespace {

constexpr float kDeviation = 0.02f;

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

ParameterLayout parameter_layout(const ModelConfig& config) { return Vit(config).layout(); }

Model make_model(const ModelConfig& config, uint64_t seed) {
  Model model;
  model.config = config;
  model.layout = parameter_layout(config);
  model.weights = ParameterBlock(model.layout.block_size());
  const auto& all = model.layout.all();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Parameter& p = all[i];
    float* w = at(model.weights, p);
    const bool drawn = p.shape.size() > 1;  // matrices, kernels, class token, position table
    if (drawn) {
      RandomStream random(seed, RandomPurpose::init, i);
      std::generate_n(w, p.count, [&] { return random.truncated_normal(kDeviation); });
    } else if (ends_with(p.name, ".gamma")) {
      std::fill_n(w, p.count, config.layer_scale_init);
    } else if (ends_with(p.name, ".weight")) {
      std::fill_n(w, p.count, 1.0f);
    }
  }
  return model;
}

}  // namespace vit
