// Fresh weights, as timm's VisionTransformer draws them by default.
#include <algorithm>
#include <cmath>
#include <memory>

#include "vit/core/rng.h"
#include "vit/model/model_file.h"
#include "vit/model/vit.h"

namespace vit {
namespace {

constexpr float kDeviation = 0.02f;
constexpr float kClassTokenDeviation = 1e-6f;
constexpr std::string_view kPatchProjection = "patch_embed.proj.";

void draw(const ModelConfig& config, const Parameter& p, RandomStream random, float* w) {
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
  for (std::size_t i = 0; i < all.size(); ++i) draw(config, all[i], stream_of(seed, i), at(model.weights, all[i]));
  return model;
}

ParameterSource fresh_parameters(const ModelConfig& config, uint64_t seed) {
  const auto layout = std::make_shared<ParameterLayout>(parameter_layout(config));
  return [=](int parameter) {
    const Parameter& p = (*layout)[parameter];
    ParameterValues values{nullptr, AlignedBuffer<float>(p.count)};
    draw(config, p, stream_of(seed, static_cast<std::size_t>(parameter)), values.owned.data());
    values.data = values.owned.data();
    return values;
  };
}

}  // namespace vit
