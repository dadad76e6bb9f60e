#include "train/prepare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/train/small_run.h"
#include "vit/core/log.h"

namespace vit {
namespace {

using test::error_of;
using test::MemoryDataset;

TEST(ResolvePreprocess, PixelsStoredAsTheyCamePassUnchanged) {
  TrainConfig config = test::small_config();
  config.preprocess.size = 99;
  config.preprocess.mean = {0.1f, 0.2f, 0.3f};
  const PreprocessConfig p = resolve_preprocess(MemoryDataset(8, 3, 6, 0), config);
  EXPECT_EQ(p.size, 8);
  EXPECT_EQ(p.rule, ResizeRule::squash);
  EXPECT_EQ(p.mean, config.preprocess.mean);
}

TEST(ResolvePreprocess, StoredGeometryGoesBeforeTheConfig) {
  MemoryDataset data(8, 3, 6, 0);
  PreprocessConfig stored;
  stored.size = 8;
  stored.resize_size = 10;
  stored.rule = ResizeRule::shorter_side;
  stored.interpolation = Interpolation::area;
  stored.mean = {0.9f, 0.9f, 0.9f};
  data.stored = to_json(stored);
  TrainConfig config = test::small_config();
  config.preprocess.mean = {0.1f, 0.2f, 0.3f};
  config.preprocess.rule = ResizeRule::squash;
  const PreprocessConfig p = resolve_preprocess(data, config);
  EXPECT_EQ(p.resize_size, 10);
  EXPECT_EQ(p.rule, ResizeRule::shorter_side);
  EXPECT_EQ(p.interpolation, Interpolation::area);
  EXPECT_EQ(p.mean, config.preprocess.mean);
  // What was cropped at import is not cropped again when it is read.
  EXPECT_EQ(training_pipeline(data, resolve(config, data)).config().rule, ResizeRule::squash);
}

TEST(ResolvePreprocess, PicturesOfManySizesFollowTheModel) {
  TrainConfig config = test::small_config();
  config.model = model_preset("vit_tiny6_patch4_32");
  config.preprocess.size = 224;
  config.preprocess.resize_size = 256;
  const PreprocessConfig p = resolve_preprocess(MemoryDataset(0, 3, 6, 0), config);
  EXPECT_EQ(p.size, 32);
  EXPECT_EQ(p.resize_size, 37);  // 32 * 256 / 224
}

/// A data set whose import has chosen.
class ImportedDataset : public MemoryDataset {
 public:
  explicit ImportedDataset(bool turned) : MemoryDataset(8, 3, 6, 0), turned_(turned) {}
  std::optional<bool> exif_rotate() const override { return turned_; }

 private:
  bool turned_;
};

TEST(ResolvePreprocess, TheImportChoosesExifRotationAndForFoldersTheConfig) {
  TrainConfig config = test::small_config();
  EXPECT_FALSE(resolve_preprocess(MemoryDataset(8, 3, 6, 0), config).exif_rotate);
  EXPECT_TRUE(resolve_preprocess(ImportedDataset(true), config).exif_rotate);
  EXPECT_FALSE(resolve_preprocess(ImportedDataset(false), config).exif_rotate);
  config.preprocess.exif_rotate = true;
  EXPECT_TRUE(resolve_preprocess(MemoryDataset(8, 3, 6, 0), config).exif_rotate);
  const std::string text = error_of(ErrorKind::usage, [&] { resolve_preprocess(ImportedDataset(false), config); });
  EXPECT_NE(text.find("--exif-rotate"), std::string::npos) << text;
}

TEST(Resolve, ArchitectureFitsThePictures) {
  const auto patch_of = [](int64_t side) {
    return resolve(train_recipe("default"), MemoryDataset(side, 3, 1, 0)).model.patch_size;
  };
  EXPECT_EQ(patch_of(32), 4);
  EXPECT_EQ(patch_of(28), 4);
  EXPECT_EQ(patch_of(64), 8);
  EXPECT_EQ(patch_of(224), 16);
  EXPECT_EQ(resolve(train_recipe("default"), MemoryDataset(0, 3, 1, 0)).model.image_size, 224);
  EXPECT_EQ(resolve(train_recipe("default"), MemoryDataset(224, 3, 1, 0)).model.depth, 12);
  const std::string message =
      error_of(ErrorKind::data, [] { resolve(train_recipe("default"), MemoryDataset(37, 3, 1, 0)); });
  EXPECT_NE(message.find("37 x 37"), std::string::npos) << message;
}

// From 128 pixels on pictures are photographs: more and smaller patches, and twice the depth.
TEST(Resolve, ArchitectureGrowsAtPhotographs) {
  const auto model_of = [](int64_t side) {
    return resolve(train_recipe("default"), MemoryDataset(side, 3, 1, 0)).model;
  };
  EXPECT_EQ(model_of(128).patch_size, 8);
  EXPECT_EQ(model_of(128).depth, 12);
  EXPECT_EQ(model_of(126).patch_size, 14);
  EXPECT_EQ(model_of(126).depth, 6);
}

TEST(Resolve, WhatWasChosenOfTheArchitectureStays) {
  const auto resolved = [](const nlohmann::json& model) {
    const TrainConfig base = test::small_config();
    TrainConfig open = train_config_from_json({{"model", nullptr}}, base, "test");
    open = with_choices(open, {.preset = {}, .fields = {{"model", model}, {"preprocess", {{"size", 32}}}}});
    return resolve(open, MemoryDataset(0, 3, 6, 0)).model;
  };
  EXPECT_EQ(resolved({{"depth", 3}}).depth, 3);
  EXPECT_EQ(resolved({{"depth", 3}}).patch_size, 4);
  EXPECT_EQ(resolved({{"depth", 3}}).name, "vit_tiny6_patch4_32 depth=3");
  EXPECT_EQ(resolved({{"patch_size", 8}}).patch_size, 8);
  EXPECT_EQ(resolved({{"width", 64}}).heads, 1);
  error_of(ErrorKind::usage, [&] { resolved({{"patch_size", 7}}); });
}

TEST(Resolve, ClassesComeFromTheData) {
  EXPECT_EQ(resolve(test::small_config(), MemoryDataset(8, 5, 5, 0)).model.classes, 5);
  TrainConfig config = test::small_config();
  config.model.classes = 10;
  const std::string message = error_of(ErrorKind::data, [&] { resolve(config, MemoryDataset(8, 3, 6, 0)); });
  EXPECT_NE(message.find("10 classes"), std::string::npos) << message;
  EXPECT_NE(message.find("has 3"), std::string::npos) << message;
}

TEST(Resolve, DataThatCannotBeTrainedOnIsRefused) {
  const TrainConfig config = test::small_config();
  EXPECT_NE(error_of(ErrorKind::data, [&] { resolve(config, MemoryDataset(8, 1, 6, 0)); }).find("1 class"),
            std::string::npos);
  EXPECT_NE(error_of(ErrorKind::data, [&] { resolve(config, MemoryDataset(8, 3, 0, 6)); }).find("it has val"),
            std::string::npos);
  const std::string message = error_of(ErrorKind::data, [&] { resolve(config, MemoryDataset(16, 3, 6, 0)); });
  EXPECT_NE(message.find("takes 8 x 8"), std::string::npos) << message;
  EXPECT_NE(message.find("holds 16 x 16"), std::string::npos) << message;
  TrainConfig patient = config;
  patient.early_stop_patience = 2;
  EXPECT_NE(error_of(ErrorKind::usage, [&] { resolve(patient, MemoryDataset(8, 3, 6, 0)); }).find("val"),
            std::string::npos);
}

/// What the library says while `call` runs.
template <class Call>
std::string said(Call&& call) {
  std::string text;
  set_log_sink([&](LogLevel, std::string_view line) { text += std::string(line) + "\n"; });
  call();
  set_log_sink({});
  return text;
}

/// `names` chosen on the command line, with the values that the config has.
TrainConfig with_chosen(TrainConfig config, std::initializer_list<const char*> names) {
  for (const char* name : names) config.chosen[name] = kCommandLine;
  return config;
}

/// Pictures of one size in files.
class Files : public MemoryDataset {
 public:
  using MemoryDataset::MemoryDataset;
  bool has_files() const override { return true; }
};

TEST(Resolve, DefaultsThatNobodyChoseAreFittedAndTold) {
  TrainConfig config = test::small_config();
  config.epochs = 1;
  config.warmup_epochs = 2;
  config.batch = 128;
  config.early_stop_metric = "val_loss";
  const MemoryDataset data(8, 3, 6, 0);
  TrainConfig fitted;
  const std::string text = said([&] { fitted = resolve(config, data); });
  EXPECT_EQ(fitted.warmup_epochs, 0.5f);
  EXPECT_EQ(fitted.batch, 6);
  EXPECT_EQ(fitted.early_stop_metric, "val_top1");
  for (const char* part : {"warmup_epochs: 0.5 and not 2", "batch: 6 and not 128", "early_stop_metric: val_top1"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in: " << text;
  EXPECT_EQ(said([&] { EXPECT_EQ(to_json(resolve(fitted, data)), to_json(fitted)); }), "");

  const std::string message =
      error_of(ErrorKind::usage, [&] { resolve(with_chosen(config, {"warmup_epochs"}), data); });
  EXPECT_NE(message.find("warmup_epochs: needs at most epochs, has 2 and 1"), std::string::npos) << message;
  EXPECT_NE(error_of(ErrorKind::usage, [&] { resolve(with_chosen(config, {"early_stop_metric"}), data); })
                .find("no val split"),
            std::string::npos);
  EXPECT_EQ(resolve(with_chosen(config, {"batch"}), data).batch, 128);
}

TEST(Resolve, ChosenGeometryActsOrIsAnError) {
  TrainConfig config = test::small_config();
  config.model = model_preset("vit_tiny6_patch4_32");
  config.model.classes = 0;
  config.preprocess.size = config.preprocess.resize_size = 48;
  config = with_chosen(config, {"preprocess.size"});
  // Pixels as they came are resized, as pictures in files are; the preset takes that side.
  for (const bool files : {false, true}) {
    const Files in_files(16, 3, 6, 0);
    const MemoryDataset pixels(16, 3, 6, 0);
    const TrainConfig resolved = resolve(config, files ? static_cast<const Dataset&>(in_files) : pixels);
    EXPECT_EQ(resolved.preprocess.size, 48);
    EXPECT_EQ(resolved.model.image_size, 48);
    EXPECT_EQ(resolved.model.name, "vit_tiny6_patch4_32 image-size=48");
  }
  config.preprocess.size = config.preprocess.resize_size = 50;
  EXPECT_NE(error_of(ErrorKind::usage, [&] { resolve(config, Files(16, 3, 6, 0)); }).find("has 50"), std::string::npos);

  // What an import resized cannot be resized by another rule.
  MemoryDataset data(8, 3, 6, 0);
  PreprocessConfig stored;
  stored.size = stored.resize_size = 8;
  data.stored = to_json(stored);
  const TrainConfig small = test::small_config();
  const auto refusal = [&](const char* field, auto&& change) {
    TrainConfig changed = with_chosen(small, {field});
    change(changed.preprocess);
    return error_of(ErrorKind::usage, [&] { resolve(changed, data); });
  };
  EXPECT_NE(refusal("preprocess.size", [](auto& p) { p.size = p.resize_size = 16; }).find("needs 8, has 16"),
            std::string::npos);
  EXPECT_NE(refusal("preprocess.rule", [](auto& p) { p.rule = ResizeRule::squash; }).find("needs shorter_side"),
            std::string::npos);
  EXPECT_NE(refusal("preprocess.interpolation", [](auto& p) { p.interpolation = Interpolation::area; }).find("bicubic"),
            std::string::npos);
  EXPECT_NE(refusal("preprocess.resize_size", [](auto& p) { p.resize_size = 9; }).find("needs 8, has 9"),
            std::string::npos);
  EXPECT_NE(refusal("preprocess.decoding", [](auto& p) { p.decoding = Decoding::pillow; }).find("needs full_range"),
            std::string::npos);
  EXPECT_NE(refusal("preprocess.fill",
                    [](auto& p) {
                      p.fill = {1, 2, 3};
                    })
                .find("fill has no effect"),
            std::string::npos);
}

TEST(Resolve, FilesOfOneSizeAreAsFilesOfManySizes) {
  TrainConfig config = test::small_config();
  config.preprocess.size = 224;
  config.preprocess.resize_size = 256;
  const TrainConfig one = resolve(config, Files(16, 3, 8, 0));
  const TrainConfig many = resolve(config, Files(0, 3, 8, 0));
  EXPECT_EQ(to_json(one), to_json(many));
  EXPECT_EQ(one.preprocess.size, 8);
  // Pictures of the model's own size are cropped in training as they are when they are classified.
  EXPECT_EQ(training_pipeline(Files(8, 3, 8, 0), one).config(), one.preprocess);
}

TEST(Resolve, SmallPicturesInFilesAreTold) {
  const auto note = [](int64_t side, const TrainConfig& config) {
    const std::string text = said([&] { resolve(config, Files(side, 3, 3, 0)); });
    return text.find(concat("--image-size ", side)) != std::string::npos;
  };
  const TrainConfig open = train_recipe("default");
  EXPECT_TRUE(note(32, open));
  EXPECT_TRUE(note(223, open));
  EXPECT_FALSE(note(224, open));
  EXPECT_FALSE(note(300, open));
  EXPECT_FALSE(note(0, open));  // of many sizes
  EXPECT_FALSE(note(32, with_chosen(open, {"preprocess.size"})));
}

TEST(Resolve, OptionsWithoutEffectAreErrors) {
  const MemoryDataset data(8, 3, 8, 4);
  TrainConfig config = test::small_config();
  config.schedule = ScheduleKind::constant;
  config.min_lr = 1e-4f;
  EXPECT_NE(error_of(ErrorKind::usage, [&] { resolve(with_chosen(config, {"min_lr"}), data); }).find("min_lr"),
            std::string::npos);
  config = test::small_config();
  EXPECT_NE(error_of(ErrorKind::usage, [&] { resolve(with_chosen(config, {"augment.elastic_sigma"}), data); })
                .find("elastic_sigma"),
            std::string::npos);
  config.preprocess.rule = ResizeRule::squash;
  config.preprocess.resize_size = 10;
  EXPECT_NE(error_of(ErrorKind::usage, [&] { resolve(with_chosen(config, {"preprocess.resize_size"}), data); })
                .find("resize_size"),
            std::string::npos);
}

TEST(Resolve, ItsOwnResultIsLeftAsItIs) {
  MemoryDataset resized(8, 3, 6, 0);
  PreprocessConfig stored;
  stored.size = stored.resize_size = 8;
  resized.stored = to_json(stored);
  const MemoryDataset pixels(8, 3, 6, 0);
  const Files files(16, 3, 6, 0);
  for (const Dataset* data : {static_cast<const Dataset*>(&resized), static_cast<const Dataset*>(&pixels),
                              static_cast<const Dataset*>(&files)}) {
    const nlohmann::json once = to_json(resolve(test::small_config(), *data));
    const TrainConfig defaults;
    const TrainConfig again = train_config_from_json(once, defaults, "run/config.json");
    EXPECT_EQ(said([&] { EXPECT_EQ(to_json(resolve(again, *data)), once); }), "");
  }
}

TEST(InitialModel, RowsOfTheHeadGoByName) {
  MemoryDataset old_data(8, 3, 6, 0), data(8, 3, 6, 0);
  old_data.names = {"ant", "bee", "cow"};
  data.names = {"cow", "dog", "ant"};
  TrainConfig config = test::small_config();
  const Model old_model = make_initial_model(resolve(config, old_data), old_data);
  config.seed = 8;
  const TrainConfig resolved = resolve(config, data, &old_model);
  const Model fresh = make_initial_model(resolved, data);
  Model model;
  const std::string text = said([&] { model = make_initial_model(resolved, data, &old_model); });
  EXPECT_EQ(text, "head: 2 of 3 classes kept by name, new: 'dog', dropped: 'bee'\n");
  const auto row = [](const Model& m, const char* name, int64_t c) {
    const Parameter& p = *m.layout.find(name);
    const int64_t width = p.count / 3;
    return std::vector<float>(at(m.weights, p) + c * width, at(m.weights, p) + (c + 1) * width);
  };
  for (const char* name : {"head.weight", "head.bias"}) {
    EXPECT_EQ(row(model, name, 0), row(old_model, name, 2));
    EXPECT_EQ(row(model, name, 1), row(fresh, name, 1));
    EXPECT_EQ(row(model, name, 2), row(old_model, name, 0));
  }
}

TEST(InitialModel, AHeadWithoutNamesIsKeptByPosition) {
  const MemoryDataset three(8, 3, 6, 0), four(8, 4, 8, 0);
  const TrainConfig config = test::small_config();
  Model old_model = make_initial_model(resolve(config, three), three);
  old_model.class_names.clear();
  EXPECT_NE(said([&] {
              const Model same = make_initial_model(resolve(config, three, &old_model), three, &old_model);
              EXPECT_TRUE(test::same_bits(same.weights, old_model.weights));
            }).find("3 classes kept by position"),
            std::string::npos);
  EXPECT_NE(
      said([&] { make_initial_model(resolve(config, four, &old_model), four, &old_model); }).find("all 4 classes new"),
      std::string::npos);
}

TEST(InitialModel, MeanAndStdComeFromTheWeightsToStartFrom) {
  const MemoryDataset data(8, 3, 6, 0);
  TrainConfig config = test::small_config();
  config.preprocess.mean = {0.1f, 0.2f, 0.3f};
  const Model old_model = make_initial_model(resolve(config, data), data);
  EXPECT_EQ(resolve(test::small_config(), data, &old_model).preprocess.mean, config.preprocess.mean);
  const TrainConfig chosen = with_chosen(test::small_config(), {"preprocess.mean"});
  EXPECT_EQ(resolve(chosen, data, &old_model).preprocess.mean, chosen.preprocess.mean);
}

TEST(InitialModel, AnotherResizeIsTold) {
  const MemoryDataset data(8, 3, 6, 0);
  const TrainConfig config = test::small_config();
  Model old_model = make_initial_model(resolve(config, data), data);
  const auto text = [&] { return said([&] { resolve(config, data, &old_model); }); };
  EXPECT_EQ(text().find("resize and crop"), std::string::npos) << text();
  old_model.preprocess["interpolation"] = "lanczos";
  EXPECT_NE(text().find("resize and crop: not those"), std::string::npos) << text();
}

TEST(InitialModel, TakesOverAllButTheHeadsNewClasses) {
  const MemoryDataset three(8, 3, 6, 0);
  const MemoryDataset four(8, 4, 8, 0);
  TrainConfig config = test::small_config();
  const Model old_model = make_initial_model(resolve(config, three), three);
  config.seed = 8;
  const Model same = make_initial_model(resolve(config, three, &old_model), three, &old_model);
  EXPECT_TRUE(test::same_bits(same.weights, old_model.weights));

  const Model grown = make_initial_model(resolve(config, four, &old_model), four, &old_model);
  EXPECT_EQ(grown.config.classes, 4);
  EXPECT_EQ(grown.class_names.size(), 4u);
  const Model fresh = make_initial_model(resolve(config, four), four);
  for (const Parameter& p : grown.layout.all()) {
    const int64_t kept = p.name.starts_with("head.") ? p.count / 4 * 3 : p.count;
    EXPECT_TRUE(std::equal(at(grown.weights, p), at(grown.weights, p) + kept,
                           at(old_model.weights, *old_model.layout.find(p.name))))
        << p.name;
    EXPECT_TRUE(std::equal(at(grown.weights, p) + kept, at(grown.weights, p) + p.count,
                           at(fresh.weights, *fresh.layout.find(p.name)) + kept))
        << p.name;
  }
}

TEST(InitialModel, KeepsTheOriginOfTheWeights) {
  const MemoryDataset data(8, 3, 6, 0);
  const TrainConfig config = test::small_config();
  Model old_model = make_initial_model(resolve(config, data), data);
  EXPECT_TRUE(old_model.origin.is_null());
  old_model.origin = {{"source", "elsewhere"}, {"licence", "mit"}};
  EXPECT_EQ(make_initial_model(resolve(config, data, &old_model), data, &old_model).origin, old_model.origin);
}

TEST(InitialModel, AnotherArchitectureIsRefusedByFieldName) {
  const MemoryDataset data(8, 3, 6, 0);
  const Model old_model = make_initial_model(resolve(test::small_config(), data), data);
  TrainConfig config = test::small_config();
  config.model.depth = 3;
  const std::string message = error_of(ErrorKind::data, [&] { resolve(config, data, &old_model); });
  EXPECT_NE(message.find("depth is 2, needs 3"), std::string::npos) << message;
  config.model.image_size = 0;  // open: the architecture of the weights
  EXPECT_EQ(resolve(config, data, &old_model).model.depth, 2);
}

}  // namespace
}  // namespace vit
