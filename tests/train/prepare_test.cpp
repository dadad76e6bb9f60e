#include "train/prepare.h"

#include <gtest/gtest.h>

#include "tests/train/small_run.h"

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

TEST(InitialModel, TakesOverAllButAHeadOfAnotherSize) {
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
    const bool head = p.name.starts_with("head.");
    const Model& source = head ? fresh : old_model;
    EXPECT_TRUE(std::equal(at(grown.weights, p), at(grown.weights, p) + p.count,
                           at(source.weights, *source.layout.find(p.name))))
        << p.name;
  }
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
