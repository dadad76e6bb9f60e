#include "preprocess/augment.h"

#include "vit/core/faults.h"
#include "vit/core/json_fields.h"
#include "vit/core/options.h"

namespace vit {
namespace {

constexpr std::string_view kTag = "augment";
constexpr const char* kGroup = "Augmentation of training pictures";

constexpr OptionField<AugmentConfig> kFields[] = {
    {.name = "flip",
     .member = kMember<&AugmentConfig::flip>,
     .range = kZeroToOne,
     .option = "--augment-flip",
     .unit = "PROBABILITY",
     .group = kGroup,
     .help = "of a mirror image"},
    {.name = "crop_padding",
     .member = kMember<&AugmentConfig::crop_padding>,
     .range = Range{0, 1024},
     .option = "--augment-crop",
     .unit = "PIXELS",
     .group = kGroup,
     .help = "of border before a random crop of the old size"},
    {.name = "rotate",
     .member = kMember<&AugmentConfig::rotate>,
     .range = Range{0, 180},
     .option = "--augment-rotate",
     .unit = "DEGREES",
     .group = kGroup,
     .help = "at most, either way"},
    {.name = "shift",
     .member = kMember<&AugmentConfig::shift>,
     .range = kZeroToOne,
     .option = "--augment-shift",
     .unit = "SHARE",
     .group = kGroup,
     .help = "of the side, at most, either way"},
    {.name = "scale",
     .member = kMember<&AugmentConfig::scale>,
     .range = Range{0, 0.99f},
     .option = "--augment-scale",
     .unit = "SHARE",
     .group = kGroup,
     .help = "larger or smaller by at most this"},
    {.name = "shear",
     .member = kMember<&AugmentConfig::shear>,
     .range = Range{0, 80},
     .option = "--augment-shear",
     .unit = "DEGREES",
     .group = kGroup,
     .help = "at most, either way"},
    {.name = "elastic",
     .member = kMember<&AugmentConfig::elastic>,
     .range = Range{0, 100},
     .option = "--augment-elastic",
     .unit = "PIXELS",
     .group = kGroup,
     .help = "typical displacement of an elastic distortion"},
    {.name = "elastic_sigma",
     .member = kMember<&AugmentConfig::elastic_sigma>,
     .range = Range{0.25, 100},
     .acts = [](const AugmentConfig& c) { return c.elastic > 0; },
     .idle = "augment.elastic is 0",
     .option = "--augment-elastic-sigma",
     .unit = "PIXELS",
     .group = kGroup,
     .help = "over which that displacement varies"},
    {.name = "erase",
     .member = kMember<&AugmentConfig::erase>,
     .range = kZeroToOne,
     .option = "--augment-erase",
     .unit = "PROBABILITY",
     .group = kGroup,
     .help = "of a rectangle of noise"},
    {.name = "random_resized_crop",
     .member = kMember<&AugmentConfig::random_resized_crop>,
     .range = kZeroToOne,
     .stored = Stored::changed,
     .option = "--augment-random-resized-crop",
     .unit = "SHARE",
     .group = kGroup,
     .help = "of the area at least, in a random part that fills the square; usual is 0.08"},
    {.name = "random_resized_crop_ratio",
     .member = kMember<&AugmentConfig::random_resized_crop_ratio>,
     .range = Range{1, 100},
     .stored = Stored::changed,
     .acts = [](const AugmentConfig& c) { return c.random_resized_crop > 0; },
     .idle = "augment.random_resized_crop is 0",
     .option = "--augment-random-resized-crop-ratio",
     .unit = "RATIO",
     .group = kGroup,
     .help = "of the longer to the shorter side of that part, at most"},
};

Faults faults_of(const AugmentConfig& config) {
  Faults faults;
  check_options(augment_options(), config, faults);
  return faults;
}

}  // namespace

void validate(const AugmentConfig& config) { faults_of(config).raise(ErrorKind::usage, kTag); }

OptionTable<AugmentConfig> augment_options() { return kFields; }

nlohmann::json to_json(const AugmentConfig& config) { return options_json(augment_options(), config); }

AugmentConfig augment_config_from_json(const nlohmann::json& json, std::string_view where, ErrorKind out_of_range) {
  const JsonFields fields(json, kTag, where);
  AugmentConfig config;
  read_options(augment_options(), fields, config);
  fields.allow_only(option_names(augment_options()));
  faults_of(config).raise(out_of_range, kTag, where);
  return config;
}

}  // namespace vit
