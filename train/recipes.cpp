// What is known to work, by name.
#include <array>

#include "train/config.h"
#include "vit/core/error.h"
#include "vit/core/word_rows.h"

namespace vit {
namespace {

/// Photographs of any kind, with an architecture that fits their size.
TrainConfig photographs() {
  TrainConfig c;
  c.model.image_size = 0;
  c.model.classes = 0;
  c.epochs = 30;
  c.warmup_epochs = 2;
  c.augment.flip = 0.5f;
  return c;
}

/// The usual short run on CIFAR-10: 10 epochs, crop with 4 pixels of border and mirror.
TrainConfig cifar10() {
  TrainConfig c;
  use_preset(c, "vit_tiny6_patch4_32");
  c.preprocess.size = c.preprocess.resize_size = 32;
  c.preprocess.rule = ResizeRule::squash;
  c.preprocess.mean = {0.4914f, 0.4822f, 0.4465f};
  c.preprocess.std = {0.2470f, 0.2435f, 0.2616f};
  c.augment.flip = 0.5f;
  c.augment.crop_padding = 4;
  c.epochs = 10;
  c.batch = 128;
  c.lr = 1e-3f;
  c.min_lr = 0;
  c.schedule = ScheduleKind::cosine;
  c.warmup_epochs = 1;
  c.weight_decay = 0.05f;
  c.beta1 = 0.9f;
  c.beta2 = 0.999f;
  c.clip_norm = 1;
  c.label_smoothing = 0.1f;
  return c;
}

/// Handwritten digits of 20 x 20 pixels: a mirrored digit is another sign, so no flip, but small affine changes.
TrainConfig digits() {
  TrainConfig c;
  use_preset(c, "vit_micro_patch4_20");
  c.model.pooling = "avg";
  c.model.class_token = false;
  c.preprocess.size = c.preprocess.resize_size = 20;
  c.preprocess.rule = ResizeRule::squash;
  c.preprocess.mean = {0.15f, 0.15f, 0.15f};
  c.preprocess.std = {0.3f, 0.3f, 0.3f};
  c.augment.rotate = 8;
  c.augment.shift = 0.06f;
  c.augment.scale = 0.1f;
  c.augment.shear = 8;
  c.epochs = 60;
  c.batch = 32;
  c.lr = 1e-3f;
  c.warmup_epochs = 2;
  c.label_smoothing = 0.05f;
  c.ema_decay = 0.998f;
  // A few hundred validation pictures tell losses apart long after they no longer tell accuracies apart.
  c.early_stop_metric = "val_loss";
  return c;
}

struct Recipe {
  std::string_view word;
  TrainConfig (*make)();
};
constexpr std::array kRecipes{Recipe{"default", photographs}, Recipe{"cifar10", cifar10}, Recipe{"digits", digits}};

}  // namespace

TrainConfig train_recipe(std::string_view name) {
  const Recipe* recipe = find_row(kRecipes, name);
  if (recipe == nullptr)
    fail(ErrorKind::usage, "[train_recipe] no recipe is called ", name, ", needs one of ",
         word_list(row_words(kRecipes)));
  TrainConfig config = recipe->make();
  config.recipe = name;
  return config;
}

std::vector<std::string> train_recipe_names() { return row_words(kRecipes); }

}  // namespace vit
