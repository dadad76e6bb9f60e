#include "train/config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "vit/core/error.h"

namespace vit {
namespace {

using nlohmann::json;

const TrainConfig kDefaults;

/// The message of the Error that `call` throws; the test fails when it throws none or another kind.
template <class Call>
std::string message_of(ErrorKind kind, Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

TEST(TrainConfig, EveryRecipeIsValidAndComesBackFromItsText) {
  ASSERT_EQ(train_recipe_names(), (std::vector<std::string>{"default", "cifar10", "digits"}));
  for (const std::string& name : train_recipe_names()) {
    const TrainConfig config = train_recipe(name);
    EXPECT_NO_THROW(validate(config)) << name;
    EXPECT_EQ(config.recipe, name);
    const std::string text = to_json(config).dump();
    const TrainConfig back = train_config_from_json(json::parse(text), kDefaults, "test");
    EXPECT_EQ(to_json(back).dump(), text);
    EXPECT_EQ(back.model, config.model);
    EXPECT_EQ(back.augment, config.augment);
    EXPECT_EQ(back.preprocess, config.preprocess);
    EXPECT_EQ(back.lr, config.lr);
  }
}

// Runs of one recipe are compared with each other, so a name stands for its numbers.
TEST(TrainConfig, RecipesKeepTheirNumbers) {
  const auto expect = [](const char* recipe, const char* fields) {
    const json all = complete_json(train_recipe(recipe)), wanted = json::parse(fields);
    json merged = all;
    merged.merge_patch(wanted);
    EXPECT_EQ(merged, all) << recipe;
  };
  expect("default", R"({"epochs": 30, "warmup_epochs": 2.0, "augment": {"flip": 0.5}})");
  expect("cifar10", R"({"epochs": 10, "batch": 128, "lr": 0.001, "min_lr": 0.0, "schedule": "cosine",
      "warmup_epochs": 1.0, "weight_decay": 0.05, "beta1": 0.9, "beta2": 0.999, "clip_norm": 1.0,
      "label_smoothing": 0.1, "augment": {"flip": 0.5, "crop_padding": 4},
      "model": {"image_size": 32, "patch_size": 4, "width": 192, "depth": 6, "heads": 3, "mlp_width": 768},
      "preprocess": {"size": 32, "resize_size": 32, "rule": "squash", "mean": [0.4914, 0.4822, 0.4465],
                     "std": [0.247, 0.2435, 0.2616]}})");
  expect("digits", R"({"epochs": 60, "batch": 32, "lr": 0.001, "warmup_epochs": 2.0, "label_smoothing": 0.05,
      "ema_decay": 0.998, "early_stop_metric": "val_loss",
      "augment": {"flip": 0.0, "rotate": 8.0, "shift": 0.06, "scale": 0.1, "shear": 8.0},
      "model": {"image_size": 20, "patch_size": 4, "width": 96, "depth": 4, "heads": 3, "pooling": "avg",
                "class_token": false},
      "preprocess": {"size": 20, "resize_size": 20, "rule": "squash", "mean": [0.15, 0.15, 0.15],
                     "std": [0.3, 0.3, 0.3]}})");
}

TEST(TrainConfig, EveryPlainFieldIsRead) {
  const json changes = json::parse(R"({"recipe": "mine", "epochs": 3, "batch": 7, "accumulate": 2, "lr": 0.5,
      "min_lr": 0.25, "schedule": "linear", "warmup_epochs": 0.5, "weight_decay": 0.125, "beta1": 0.75, "beta2": 0.5,
      "adam_eps": 0.0625, "clip_norm": 3, "label_smoothing": 0.25, "dropout": 0.5, "attention_dropout": 0.25,
      "drop_path": 0.125, "ema_decay": 0.5, "dtype": "fp32", "seed": 18446744073709551615,
      "early_stop_metric": "val_loss", "early_stop_patience": 4, "save_every_steps": 9,
      "augment": {"flip": 0.25}, "preprocess": {"size": 64, "resize_size": 72}, "model": "vit_tiny6_patch4_32"})");
  const TrainConfig config = train_config_from_json(changes, kDefaults, "test");
  const json back = to_json(config);
  for (const auto& [key, value] : changes.items()) {
    if (value.is_object() || key == "model") continue;
    EXPECT_EQ(back.at(key), value) << key;
  }
  EXPECT_EQ(config.seed, 18446744073709551615u);
  EXPECT_EQ(config.augment.flip, 0.25f);
  EXPECT_EQ(config.preprocess.resize_size, 72);
  EXPECT_EQ(config.model.depth, 6);
  EXPECT_EQ(config.model.classes, 0);
}

TEST(TrainConfig, ValuesMadeInMemoryAreRead) {
  const TrainConfig config = train_config_from_json({{"seed", 5}, {"epochs", 6}}, kDefaults, "test");
  EXPECT_EQ(config.seed, 5u);
  EXPECT_EQ(config.epochs, 6);
}

TEST(TrainConfig, AbsentFieldsKeepTheBase) {
  const TrainConfig base = train_recipe("cifar10");
  const TrainConfig config =
      train_config_from_json(json::parse(R"({"epochs": 2, "model": {"depth": 3}})"), base, "test");
  EXPECT_EQ(config.epochs, 2);
  EXPECT_EQ(config.model.depth, 3);
  EXPECT_EQ(config.model.width, base.model.width);
  EXPECT_EQ(config.augment.crop_padding, 4);
}

TEST(TrainConfig, ANewSideKeepsTheShareOfTheCrop) {
  TrainConfig base;
  base.preprocess.size = 224;
  base.preprocess.resize_size = 256;
  const auto resize_size = [&base](const char* text) {
    return train_config_from_json(json::parse(text), base, "test").preprocess.resize_size;
  };
  EXPECT_EQ(resize_size(R"({"preprocess": {"size": 448}})"), 512);
  EXPECT_EQ(resize_size(R"({"preprocess": {"size": 448, "resize_size": 480}})"), 480);
  EXPECT_EQ(resize_size(R"({"preprocess": {"rule": "squash"}})"), 256);
}

TEST(TrainConfig, FloatsAreWrittenAsPeopleWriteThem) {
  TrainConfig config;
  config.lr = 3e-4f;
  config.label_smoothing = 0.1f;
  const std::string text = to_json(config).dump();
  EXPECT_NE(text.find("\"lr\":0.0003,"), std::string::npos) << text;
  EXPECT_NE(text.find("\"label_smoothing\":0.1,"), std::string::npos) << text;
}

TEST(TrainConfig, UnknownFieldsAreNamed) {
  const auto read = [](const char* text) {
    return message_of(ErrorKind::data, [&] { train_config_from_json(json::parse(text), kDefaults, "run.json"); });
  };
  EXPECT_EQ(read(R"({"epoch": 3})"), "[train_config] run.epoch: unknown field (run.json)");
  EXPECT_EQ(read(R"({"augment": {"flipp": 0.5}})"), "[train_config] augment.flipp: unknown field (run.json)");
  EXPECT_EQ(read(R"({"model": {"layers": 4}})"), "[train_config] model.layers: unknown field (run.json)");
}

TEST(TrainConfig, WrongTypesAreNamed) {
  for (const char* text :
       {R"({"epochs": "3"})", R"({"epochs": 1.5})", R"({"lr": "a"})", R"({"schedule": "step"})", R"({"schedule": 1})",
        R"({"dtype": "fp64"})", R"({"recipe": 1})", R"({"augment": 3})", R"({"model": 3})", R"([1])"}) {
    const std::string message =
        message_of(ErrorKind::data, [&] { train_config_from_json(json::parse(text), kDefaults, "run.json"); });
    EXPECT_NE(message.find("run.json"), std::string::npos) << message;
  }
}

TEST(TrainConfig, ValuesOutOfRangeAreUsageErrorsInAFileToo) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"epochs": 18446744073709551615})", "epochs"},
      {R"({"epochs": -3})", "epochs"},
      {R"({"batch": 0})", "batch"},
      {R"({"lr": 1e60})", "lr"},
      {R"({"lr": -1e60})", "lr"},
      {R"({"lr": 0})", "lr"},
      {R"({"min_lr": 0.5})", "min_lr"},
      {R"({"warmup_epochs": 1e9})", "warmup_epochs"},
      {R"({"clip_norm": 1e300})", "clip_norm"},
      {R"({"seed": -1})", "seed"},
      {R"({"preprocess": {"std": [0, 1, 1]}})", "std[0]"},
      {R"({"preprocess": {"mean": [0, 1e300, 1]}})", "mean[1]"},
      {R"({"preprocess": {"size": 0}})", "size"},
      {R"({"augment": {"flip": 1.5}})", "flip"},
      {R"({"augment": {"elastic": -1e60}})", "elastic"},
      {R"({"model": {"heads": 5}})", "heads"},
      {R"({"model": "vit_none"})", "vit_none"},
  };
  for (const auto& [text, field] : cases) {
    const std::string message = message_of(ErrorKind::usage, [&, given = text] {
      validate(train_config_from_json(json::parse(given), train_recipe("cifar10"), "run.json"));
    });
    EXPECT_NE(message.find(field), std::string::npos) << text << ": " << message;
  }
}

TEST(TrainConfig, WhatAFileSetsIsChosen) {
  const json file =
      json::parse(R"({"lr": 0.5, "preprocess": {"size": 64}, "model": {"depth": 3}, "augment": {"flip": 0}})");
  TrainConfig config = train_config_from_json(file, train_recipe("cifar10"), "run.json");
  EXPECT_EQ(config.chosen, (ChosenFields{{"lr", "run.json"},
                                         {"preprocess.size", "run.json"},
                                         {"model.depth", "run.json"},
                                         {"augment.flip", "run.json"}}));
  config = train_config_from_json({{"lr", 0.25}, {"model", "vit_tiny6_patch4_32"}}, config, kCommandLine);
  EXPECT_EQ(config.chosen.at("lr"), kCommandLine);
  EXPECT_TRUE(config.is_chosen("model"));
  EXPECT_FALSE(config.is_chosen("model.depth"));
  EXPECT_FALSE(config.is_chosen("epochs"));
}

TEST(TrainConfig, TheCommandLineChangesAPreset) {
  const TrainConfig config = with_choices(
      train_recipe("cifar10"),
      {.preset = "vit_tiny9_patch4_32", .fields = {{"epochs", 3}, {"model", {{"depth", 4}, {"pooling", "avg"}}}}});
  EXPECT_EQ(config.epochs, 3);
  EXPECT_EQ(config.model.name, "vit_tiny9_patch4_32 depth=4 pooling=avg");
  EXPECT_EQ(config.model.depth, 4);
  EXPECT_EQ(config.model.pooling, "avg");
  EXPECT_EQ(config.chosen.at("model.depth"), kCommandLine);
  EXPECT_TRUE(config.is_chosen("model"));
  const TrainConfig again = with_choices(config, {.preset = {}, .fields = {{"model", {{"depth", 4}}}}});
  EXPECT_EQ(again.model, config.model);
}

TEST(TrainConfig, ANewWidthAloneKeepsTheHeadSizeAndTheRatioOfTheFeedForward) {
  const auto model = [](const json& fields) {
    return with_choices(train_recipe("cifar10"), {.preset = {}, .fields = {{"model", fields}}}).model;
  };
  EXPECT_EQ(model({{"width", 384}}).heads, 6);
  EXPECT_EQ(model({{"width", 384}}).mlp_width, 1536);
  EXPECT_EQ(model({{"width", 384}, {"heads", 4}, {"mlp_width", 768}}).heads, 4);
  EXPECT_EQ(model({{"width", 384}, {"heads", 4}, {"mlp_width", 768}}).mlp_width, 768);
}

TEST(TrainConfig, FaultsOfAChangedArchitectureAreToldByValidate) {
  for (const char* recipe : {"default", "cifar10"}) {
    const TrainConfig config =
        with_choices(train_recipe(recipe), {.preset = {}, .fields = {{"model", {{"depth", 0}}}}});
    const std::string message = message_of(ErrorKind::usage, [&] { validate(config); });
    EXPECT_NE(message.find("depth: needs 1 to 1024, has 0"), std::string::npos) << message;
  }
}

TEST(TrainConfig, AllFaultsAreToldAtOnce) {
  TrainConfig config = train_recipe("cifar10");
  config.epochs = 0;
  config.lr = -1;
  config.beta2 = 1;
  config.label_smoothing = 1;
  config.early_stop_metric = "accuracy";
  config.dtype = DType::i8;
  config.augment.flip = 2;
  config.preprocess.size = 0;
  config.model.heads = 5;
  const std::string message = message_of(ErrorKind::usage, [&] { validate(config); });
  for (const char* part :
       {"epochs", "lr", "beta2", "label_smoothing", "early_stop_metric", "dtype", "flip", "size", "heads"}) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " is not in: " << message;
  }
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

TEST(TrainConfig, NanInfinityAndNegativeNumbersAreFaults) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(), -1.0f})
    for (float TrainConfig::*field :
         {&TrainConfig::lr, &TrainConfig::min_lr, &TrainConfig::weight_decay, &TrainConfig::beta1,
          &TrainConfig::clip_norm, &TrainConfig::dropout, &TrainConfig::ema_decay, &TrainConfig::warmup_epochs,
          &TrainConfig::adam_eps, &TrainConfig::beta2, &TrainConfig::label_smoothing, &TrainConfig::attention_dropout,
          &TrainConfig::drop_path}) {
      TrainConfig config = train_recipe("cifar10");
      config.*field = bad;
      EXPECT_THROW(validate(config), Error);
    }
}

TEST(TrainConfig, UnknownRecipeListsTheKnown) {
  const std::string message = message_of(ErrorKind::usage, [] { train_recipe("imagenet"); });
  EXPECT_NE(message.find("default, cifar10, digits"), std::string::npos) << message;
}

}  // namespace
}  // namespace vit
