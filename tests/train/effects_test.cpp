// An option that somebody chose and that does nothing beside the others is told.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/train/small_run.h"
#include "train/prepare.h"

namespace vit {
namespace {

using Change = std::function<void(TrainConfig&)>;

struct Effect {
  std::string field;
  std::string why;  // it does nothing
  Change idle, acting;
};

std::vector<Effect> effects() {
  const auto none = [](TrainConfig&) {};
  const auto rope = [](RopeLayout layout) { return [=](TrainConfig& c) { c.model.rope = layout; }; };
  const auto conv = [](int64_t layers) {
    return [=](TrainConfig& c) { c.model.tokenizer = "conv", c.model.conv_layers = layers; };
  };
  return {
      {"min_lr", "a constant schedule stays at lr", [](TrainConfig& c) { c.schedule = ScheduleKind::constant; }, none},
      {"augment.elastic_sigma", "augment.elastic is 0", none, [](TrainConfig& c) { c.augment.elastic = 1; }},
      {"augment.random_resized_crop_ratio", "augment.random_resized_crop is 0", none,
       [](TrainConfig& c) { c.augment.random_resized_crop = 0.5f; }},
      {"model.rope_theta", "rope is none", none, rope(RopeLayout::mixed)},
      {"model.rope_reference", "rope is not axial", rope(RopeLayout::dinov3), rope(RopeLayout::axial)},
      {"model.rope_offset", "rope is not axial", none, rope(RopeLayout::axial)},
      {"model.rope_order", "rope is not axial", rope(RopeLayout::mixed), rope(RopeLayout::axial)},
      {"model.conv_layers", "the tokenizer is not conv", none, conv(1)},
      {"model.conv_kernel", "the tokenizer is not conv", none, conv(1)},
      {"model.conv_stride", "the tokenizer is not conv", none, conv(1)},
      {"model.conv_width", "there are no two convolutions", conv(1), conv(2)},
      {"model.patch_size", "the tokenizer is conv", conv(1), none},
      {"model.activation", "swiglu is gated by SiLU", [](TrainConfig& c) { c.model.mlp = "swiglu"; }, none},
      {"model.layer_scale_init", "layer_scale is off", none, [](TrainConfig& c) { c.model.layer_scale = true; }},
      {"model.prefix_position", "no token in front of the patches has a learned position",
       [](TrainConfig& c) { c.model.position = "none"; }, none},
      {"beta1", "the optimizer is sgd", [](TrainConfig& c) { c.optimizer = "sgd"; }, none}};
}

TrainConfig chosen(const Effect& effect, const Change& change, const char* where) {
  TrainConfig config = test::small_config();
  change(config);
  config.chosen[effect.field] = where;
  return config;
}

TEST(Effects, AnOptionThatDoesNothingIsRefused) {
  for (const Effect& effect : effects()) {
    SCOPED_TRACE(effect.field);
    const std::string text = test::error_of(
        ErrorKind::usage, [&] { resolve(chosen(effect, effect.idle, kCommandLine), test::small_data()); });
    EXPECT_EQ(text, "[train] " + effect.field + " has no effect: " + effect.why);
    EXPECT_NO_THROW(resolve(chosen(effect, effect.acting, kCommandLine), test::small_data()));
  }
}

// A file may hold more than is needed.
TEST(Effects, InAFileItIsToldOnly) {
  for (const Effect& effect : effects())
    EXPECT_NO_THROW(resolve(chosen(effect, effect.idle, "run.json"), test::small_data())) << effect.field;
}

}  // namespace
}  // namespace vit
