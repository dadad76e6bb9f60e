#include "preprocess/published.h"
#include "preprocess/published_scale.h"
#include "vit/core/word_rows.h"

namespace vit {
namespace {

using namespace published;

using Color = std::array<float, 3>;

struct Rule {
  const char* word;
  const char* help;
  int64_t size;
  int64_t resize_size;
  ResizeRule rule;
  Interpolation interpolation;
  Color mean, std;
  double crop_pct = 0;  // of timm: the resize of another side follows from it
  CropRounding crop_rounding = CropRounding::even;
  ResizeOn resize_on = ResizeOn::bytes;
};

constexpr auto kShorter = ResizeRule::shorter_side;
constexpr auto kSquash = ResizeRule::squash;
constexpr auto kCubic = Interpolation::bicubic;
constexpr auto kLinear = Interpolation::bilinear;
constexpr auto kFloor = CropRounding::floor;

constexpr Rule kRules[] = {
    {"timm", "timm for a model without a config: crop 0.875, bicubic, ImageNet's mean", 224, 256, kShorter, kCubic,
     kImageNetMean, kImageNetStd, 0.875},
    {"timm-inception", "timm's vit_*_224 of augreg, sam, orig and miil's kin: crop 0.9, bicubic, mean 0.5", 224, 248,
     kShorter, kCubic, kHalf, kHalf, 0.9},
    {"timm-inception-384", "timm's vit_*_384 of augreg: crop 1, bicubic, mean 0.5", 384, 384, kShorter, kCubic, kHalf,
     kHalf, 1.0},
    {"timm-sbb", "timm's vit_*_reg*_256 of sbb: crop 0.95, bicubic, mean 0.5", 256, 269, kShorter, kCubic, kHalf, kHalf,
     0.95},
    {"timm-miil", "timm's vit_base_patch16_224_miil: crop 0.875, bilinear, mean 0", 224, 256, kShorter, kLinear, kZero,
     kOne, 0.875},
    {"deit", "timm's deit_*_224 and deit3_*_224 of fb_in1k: crop 0.9, bicubic, ImageNet's mean", 224, 248, kShorter,
     kCubic, kImageNetMean, kImageNetStd, 0.9},
    {"deit-384", "timm's deit_*_384, deit3_*_384: crop 1, bicubic, ImageNet's mean", 384, 384, kShorter, kCubic,
     kImageNetMean, kImageNetStd, 1.0},
    {"deit3-in22k", "timm's deit3_*_224 of fb_in22k_ft_in1k: crop 1, bicubic, ImageNet's mean", 224, 224, kShorter,
     kCubic, kImageNetMean, kImageNetStd, 1.0},
    {"timm-dinov2", "timm's *_patch14_dinov2: 518, crop 1, bicubic, ImageNet's mean", 518, 518, kShorter, kCubic,
     kImageNetMean, kImageNetStd, 1.0},
    {"timm-dinov3", "timm's *_dinov3: 256, crop 1, bicubic, ImageNet's mean", 256, 256, kShorter, kCubic, kImageNetMean,
     kImageNetStd, 1.0},
    {"eva02", "timm's eva02_*_336: crop 1, bicubic, CLIP's mean", 336, 336, kShorter, kCubic, kClipMean, kClipStd, 1.0},
    {"eva02-squash", "timm's eva02_*_448 of in22k_ft_in22k_in1k: squash, bicubic, CLIP's mean", 448, 448, kSquash,
     kCubic, kClipMean, kClipStd, 1.0},
    {"aimv2", "timm's aimv2_*_224: crop 1, bicubic, CLIP's mean", 224, 224, kShorter, kCubic, kClipMean, kClipStd, 1.0},
    {"torchvision-vit-b16", "ViT_B_16_Weights.IMAGENET1K_V1: 256, bilinear", 224, 256, kShorter, kLinear, kImageNetMean,
     kImageNetStd},
    {"torchvision-vit-b32", "ViT_B_32_Weights.IMAGENET1K_V1: 256, bilinear", 224, 256, kShorter, kLinear, kImageNetMean,
     kImageNetStd},
    {"torchvision-vit-l16", "ViT_L_16_Weights.IMAGENET1K_V1: 242, bilinear", 224, 242, kShorter, kLinear, kImageNetMean,
     kImageNetStd},
    {"torchvision-vit-l32", "ViT_L_32_Weights.IMAGENET1K_V1: 256, bilinear", 224, 256, kShorter, kLinear, kImageNetMean,
     kImageNetStd},
    {"torchvision-swag", "ViT_*_Weights.IMAGENET1K_SWAG_E2E_V1: bicubic; --image-size 384 (B), 512 (L), 518 (H)", 384,
     384, kShorter, kCubic, kImageNetMean, kImageNetStd},
    {"torchvision-swag-linear", "ViT_*_Weights.IMAGENET1K_SWAG_LINEAR_V1: bicubic", 224, 224, kShorter, kCubic,
     kImageNetMean, kImageNetStd},
    {"hf-vit", "transformers' ViTImageProcessor: squash, bilinear, mean 0.5", 224, 224, kSquash, kLinear, kHalf, kHalf},
    {"hf-deit", "facebook/deit-*-distilled: squash to 256, crop, bicubic, ImageNet's mean", 224, 256,
     ResizeRule::squash_crop, kCubic, kImageNetMean, kImageNetStd, 0, kFloor},
    {"dinov2", "the authors' eval of DINOv2: 256, bicubic, ImageNet's mean", 224, 256, kShorter, kCubic, kImageNetMean,
     kImageNetStd},
    {"hf-dinov2", "the same in transformers (its crop rounds otherwise)", 224, 256, kShorter, kCubic, kImageNetMean,
     kImageNetStd, 0, kFloor},
    {"dinov3", "transformers' DINOv3ViTImageProcessor: squash of floats, bilinear, ImageNet's mean", 224, 224, kSquash,
     kLinear, kImageNetMean, kImageNetStd, 0, kFloor, ResizeOn::floats},
    {"clip", "OpenAI's and open_clip's: bicubic, CLIP's mean", 224, 224, kShorter, kCubic, kClipMean, kClipStd},
    {"hf-clip", "the same in transformers (its crop rounds otherwise)", 224, 224, kShorter, kCubic, kClipMean, kClipStd,
     0, kFloor},
    {"siglip", "SigLIP: squash, bicubic, mean 0.5", 224, 224, kSquash, kCubic, kHalf, kHalf},
};

}  // namespace

std::vector<std::string> published_rule_names() { return row_words(kRules); }

std::string published_rules_help() {
  std::string text;
  for (const Rule& rule : kRules) text += concat(text.empty() ? "" : "\n", rule.word, ": ", rule.help);
  return text;
}

PreprocessConfig published_rule(std::string_view name, int64_t side) {
  const Rule& rule = row_of(kRules, name, "[preprocess] rule");
  PreprocessConfig config;
  config.size = rule.size;
  config.resize_size = rule.resize_size;
  config.rule = rule.rule;
  config.interpolation = rule.interpolation;
  config.mean = rule.mean;
  config.std = rule.std;
  config.crop_rounding = rule.crop_rounding;
  config.resize_on = rule.resize_on;
  config.decoding = Decoding::pillow;
  config = scaled(config, side);
  if (rule.crop_pct > 0) config.resize_size = timm_resize(config.size, rule.crop_pct);
  validate(config);
  return config;
}

}  // namespace vit
