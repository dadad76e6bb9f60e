#include "preprocess/published.h"

#include <gtest/gtest.h>

#include "tests/support/caught_error.h"

namespace vit {
namespace {

using nlohmann::json;

json timm_file(const json& changes = json::object()) {
  json cfg = {{"input_size", {3, 224, 224}}, {"crop_pct", 0.9},
              {"interpolation", "bicubic"},  {"mean", {0.5, 0.5, 0.5}},
              {"std", {0.5, 0.5, 0.5}},      {"crop_mode", "center"},
              {"num_classes", 1000},         {"first_conv", "patch_embed"}};
  cfg.update(changes);
  return {{"architecture", "vit_tiny_patch16_224"}, {"pretrained_cfg", cfg}};
}

json vit_file(const json& changes = json::object()) {
  json file = {{"image_processor_type", "ViTImageProcessor"}, {"size", {{"height", 224}, {"width", 224}}}};
  file.update(changes);
  return file;
}

std::string joined(const std::vector<std::string>& notes) {
  std::string text;
  for (const std::string& note : notes) text += note + "\n";
  return text;
}

std::string refusal(const json& file) {
  return test::error_of(ErrorKind::data, [&] { published_preprocess(file, "config.json"); });
}

TEST(Published, RulesByNameHaveTheirPublishedNumbers) {
  const PreprocessConfig vit = published_rule("timm-inception");
  EXPECT_EQ(vit.size, 224);
  EXPECT_EQ(vit.resize_size, 248);
  EXPECT_EQ(vit.interpolation, Interpolation::bicubic);
  EXPECT_EQ(vit.mean[0], 0.5f);
  EXPECT_EQ(vit.decoding, Decoding::pillow);
  EXPECT_EQ(published_rule("timm-sbb").resize_size, 269);
  EXPECT_EQ(published_rule("torchvision-vit-l16").resize_size, 242);
  EXPECT_EQ(published_rule("dinov3").resize_on, ResizeOn::floats);
  EXPECT_EQ(published_rule("hf-clip").crop_rounding, CropRounding::floor);
  EXPECT_EQ(published_rule("hf-deit").rule, ResizeRule::squash_crop);
  for (const std::string& name : published_rule_names()) EXPECT_NO_THROW(validate(published_rule(name))) << name;
  EXPECT_TRUE(published_rules_help().find("siglip: ") != std::string::npos);
}

TEST(Published, AnotherSideKeepsTheShareOfTheCrop) {
  EXPECT_EQ(published_rule("timm-inception", 384).resize_size, 426);  // floor(384 / 0.9)
  EXPECT_EQ(published_rule("dinov2", 448).resize_size, 512);
  EXPECT_EQ(published_rule("torchvision-swag", 518).resize_size, 518);
  EXPECT_EQ(preprocess_from_timm(timm_file(), "x", 240).config.resize_size, 266);
  const auto bit = preprocess_from_transformers({{"image_processor_type", "BitImageProcessor"},
                                                 {"size", {{"shortest_edge", 256}}},
                                                 {"crop_size", {{"height", 224}, {"width", 224}}}},
                                                "x", 518);
  EXPECT_EQ(bit.config.size, 518);
  EXPECT_EQ(bit.config.resize_size, 592);
}

TEST(Published, UnknownNamesListTheRules) {
  const std::string error = test::error_of(ErrorKind::usage, [] { published_rule("resnet"); });
  EXPECT_NE(error.find("torchvision-vit-b16"), std::string::npos) << error;
  EXPECT_NE(error.find("'resnet'"), std::string::npos) << error;
  EXPECT_THROW(published_rule("timm", 1 << 20), Error);
  EXPECT_THROW(published_rule("timm", -1), Error);
}

TEST(Published, MissingFieldsOfTimmAreSaid) {
  const PublishedRule rule = preprocess_from_timm({{"pretrained_cfg", json::object()}}, "x");
  EXPECT_EQ(rule.config.resize_size, 256);
  EXPECT_EQ(rule.config.mean[0], 0.485f);
  EXPECT_NE(joined(rule.notes).find("crop_pct"), std::string::npos);
  EXPECT_NE(joined(rule.notes).find("mean"), std::string::npos);
  EXPECT_TRUE(preprocess_from_timm(timm_file(), "x").notes.empty())
      << joined(preprocess_from_timm(timm_file(), "x").notes);
  const PublishedRule others =
      preprocess_from_timm(timm_file({{"test_input_size", {3, 288, 288}}, {"kernel", 3}}), "x");
  EXPECT_NE(joined(others.notes).find("test_input_size [3,288,288]"), std::string::npos) << joined(others.notes);
  EXPECT_NE(joined(others.notes).find("\"kernel\""), std::string::npos) << joined(others.notes);
}

TEST(Published, ArgumentsOfTheModelSetTheSideOfAFixedOne) {
  json file = timm_file({{"fixed_input_size", true}});
  file["model_args"] = {{"img_size", 320}};
  EXPECT_EQ(preprocess_from_timm(file, "x").config.size, 320);
  file["model_args"]["dynamic_img_size"] = true;
  EXPECT_EQ(preprocess_from_timm(file, "x").config.size, 224);
  const json flat = {{"architecture", "vit"}, {"input_size", {3, 160, 160}}, {"crop_pct", 1.0}};
  EXPECT_EQ(published_preprocess(flat, "x").config.size, 160);
}

TEST(Published, ClassesOfTransformersAreKnownByAllTheirNames) {
  for (const char* name : {"ViTImageProcessor", "ViTImageProcessorFast", "ViTImageProcessorPil"})
    EXPECT_EQ(published_preprocess(vit_file({{"image_processor_type", name}}), "x").config.rule, ResizeRule::squash);
  EXPECT_EQ(published_preprocess({{"feature_extractor_type", "ViTFeatureExtractor"}, {"size", 96}}, "x").config.size,
            96);
  EXPECT_EQ(preprocess_from_transformers({{"size", 96}}, "x", 0, transformers_processor("dinov2")).config.rule,
            ResizeRule::shorter_side);
  EXPECT_EQ(transformers_processor("resnet"), "");
  EXPECT_NE(joined(published_preprocess(vit_file({{"swirl", 1}}), "x").notes).find("\"swirl\""), std::string::npos);
}

TEST(Published, ContradictionsAreOneLineThatNamesTheField) {
  const struct {
    json file;
    const char* field;
  } cases[] = {
      {timm_file({{"input_size", {3, 224, 192}}}), "input_size"},
      {timm_file({{"input_size", {1, 224, 224}}}), "input_size"},
      {timm_file({{"input_size", "224"}}), "input_size"},
      {timm_file({{"input_size", {3, 1e300, 1e300}}}), "input_size"},
      {timm_file({{"input_size", {3, 18446744073709551615u, 18446744073709551615u}}}), "input_size"},
      {timm_file({{"crop_pct", -1}}), "crop_pct"},
      {timm_file({{"crop_pct", "0.9"}}), "crop_pct"},
      {timm_file({{"crop_pct", 1e-300}}), "resize_size"},
      {timm_file({{"crop_mode", "stretch"}}), "crop_mode"},
      {timm_file({{"interpolation", "random"}}), "interpolation"},
      {timm_file({{"interpolation", 3}}), "interpolation"},
      {timm_file({{"mean", {0.5, 0.5}}}), "mean"},
      {timm_file({{"mean", {123.7, 116.3, 103.5}}}), "mean"},
      {timm_file({{"std", {0, 0, 0}}}), "std"},
      {{{"pretrained_cfg", 3}}, "pretrained_cfg"},
      {vit_file({{"image_processor_type", "DetrImageProcessor"}}), "image_processor_type"},
      {vit_file({{"image_processor_type", "Siglip2ImageProcessor"}}), "keeps the shape"},
      {vit_file({{"size", {{"shortest_edge", 224}}}}), "do_center_crop"},
      {vit_file({{"size", {{"height", 224}, {"width", 192}}}}), "size"},
      {vit_file({{"size", {{"shortest_edge", 224}, {"longest_edge", 300}}}}), "size"},
      {vit_file({{"size", 0}}), "size"},
      {vit_file({{"do_center_crop", true}}), "crop_size"},
      {vit_file({{"resample", 6}}), "resample"},
      {vit_file({{"do_resize", false}}), "do_resize"},
      {vit_file({{"do_pad", true}}), "do_pad"},
      {vit_file({{"do_rescale", "yes"}}), "do_rescale"},
      {vit_file({{"rescale_factor", 0}}), "rescale_factor"},
      {vit_file({{"image_mean", {0.5, 0.5, "x"}}}), "image_mean"},
      {{{"image_processor", json::array()}}, "object"},
      {{{"preprocess_cfg", {{"resize_mode", "crop"}}}}, "resize_mode"},
      {{{"preprocess_cfg", {{"mode", "L"}}}}, "mode"},
      {{{"preprocess_cfg", {{"fill_color", 300}, {"resize_mode", "longest"}}}}, "fill_color"},
      {{{"preprocess_cfg", json::object()}, {"model_cfg", {{"vision_cfg", {{"image_size", "big"}}}}}}, "image_size"},
      {{{"id2label", json::object()}}, "pretrained_cfg"},
      {json::array(), "pretrained_cfg"},
      {nullptr, "pretrained_cfg"},
  };
  for (const auto& c : cases) {
    const std::string error = refusal(c.file);
    EXPECT_NE(error.find(c.field), std::string::npos) << c.file << ": " << error;
    EXPECT_NE(error.find("config.json"), std::string::npos) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
  }
}

}  // namespace
}  // namespace vit
