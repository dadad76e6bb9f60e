// Fresh weights, as timm's VisionTransformer draws them by default.
#include <algorithm>
#include <cmath>

#include "vit/core/rng.h"
#include "vit/model/model_file.h"
#include "vit/model/vit.h"

namespace vit {
namespace {

constexpr float kDeviation = 0.02f;
constexpr float kClassTokenDeviation = 1e-6f;
constexpr std::string_view kPatchProjection = "patch_embed.proj.";

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
    RandomStream random(seed, RandomPurpose::init, i);
    if (p.name.starts_with(kPatchProjection)) {
      // The default of a PyTorch convolution: with 0.02 training starts markedly slower.
      const float bound = 1 / std::sqrt(static_cast<float>(config.patch_dim()));
      std::generate_n(w, p.count, [&] { return random.uniform(-bound, bound); });
    } else if (p.name == "cls_token") {
      std::generate_n(w, p.count, [&] { return random.truncated_normal(kClassTokenDeviation); });
    } else if (p.shape.size() > 1) {  // matrices and the position table
      std::generate_n(w, p.count, [&] { return random.truncated_normal(kDeviation); });
    } else if (p.name.ends_with(".gamma")) {
      std::fill_n(w, p.count, config.layer_scale_init);
    } else if (p.name.ends_with(".weight")) {
      std::fill_n(w, p.count, 1.0f);
    }
  }
  return model;
}

}  // namespace vit
