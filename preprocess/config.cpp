#include "preprocess/config.h"

#include "vit/core/faults.h"
#include "vit/core/json_fields.h"
#include "vit/core/options.h"

namespace vit {
namespace {

constexpr std::string_view kTag = "preprocess";
constexpr const char* kGroup = "Model and pixels";
constexpr const char* kOfBytes = "is it of pixels in 0..255?";
constexpr Range kSides{1, 1 << 14};  // in pixels

constexpr OptionField<PreprocessConfig> kFields[] = {
    {.name = "size",
     .member = kMember<&PreprocessConfig::size>,
     .range = kSides,
     .stored = Stored::required,
     .option = "--image-size",
     .unit = "PIXELS",
     .group = kGroup,
     .help = "side of the square that the model sees"},
    {.name = "resize_size",  // its range depends on size and rule
     .member = kMember<&PreprocessConfig::resize_size>,
     .option = "--resize-size",
     .unit = "PIXELS",
     .group = kGroup,
     .help = "shorter side before the centre is cut out"},
    {.name = "rule",
     .member = kMember<&PreprocessConfig::rule>,
     .stored = Stored::required,
     .option = "--resize",
     .group = kGroup,
     .help = "how pictures become squares"},
    {.name = "interpolation",
     .member = kMember<&PreprocessConfig::interpolation>,
     .stored = Stored::required,
     .option = "--interpolation",
     .group = kGroup,
     .help = "filter of the resize"},
    {.name = "exif_rotate",
     .member = kMember<&PreprocessConfig::exif_rotate>,
     .option = "--exif-rotate",
     .group = kGroup,
     .help = "turn pictures upright by their EXIF orientation; the model keeps the choice"},
    {.name = "mean",
     .member = kMember<&PreprocessConfig::mean>,
     .range = kZeroToOne,
     .cause = kOfBytes,
     .stored = Stored::required,
     .option = "--mean",
     .unit = "R G B",
     .group = kGroup,
     .help = "mean of the pixels, in 0..1"},
    {.name = "std",
     .member = kMember<&PreprocessConfig::std>,
     .range = Range{.low = 0, .high = 1, .open_low = true},
     .cause = kOfBytes,
     .stored = Stored::required,
     .option = "--std",
     .unit = "R G B",
     .group = kGroup,
     .help = "standard deviation of the pixels, in 0..1"},
};

Faults faults_of(const PreprocessConfig& config) {
  Faults faults;
  check_options(preprocess_options(), config, faults);
  if (config.rule == ResizeRule::shorter_side)
    faults.range("resize_size", config.resize_size, {static_cast<double>(config.size), kSides.high});
  return faults;
}

}  // namespace

OptionTable<PreprocessConfig> preprocess_options() { return kFields; }

void validate(const PreprocessConfig& config) { faults_of(config).raise(ErrorKind::usage, kTag); }

nlohmann::json to_json(const PreprocessConfig& config) { return options_json(preprocess_options(), config); }

PreprocessConfig preprocess_config_from_json(const nlohmann::json& json, std::string_view where,
                                             ErrorKind out_of_range) {
  const JsonFields fields(json, kTag, where);
  fields.allow_only(option_names(preprocess_options()));
  PreprocessConfig config;
  read_options(preprocess_options(), fields, config);
  if (!fields.has("resize_size")) {  // without an effect under `squash`, where it may be left out
    if (config.rule == ResizeRule::shorter_side) fields.reject("field 'resize_size' is missing");
    config.resize_size = config.size;
  }
  faults_of(config).raise(out_of_range, kTag, where);
  return config;
}

}  // namespace vit
