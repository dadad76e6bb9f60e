#include "preprocess/config.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "vit/core/faults.h"
#include "vit/core/json_fields.h"
#include "vit/core/options.h"

namespace vit {

/// A colour in bytes. Options of the command line come as 124.0.
template <>
struct OptionValue<std::array<int64_t, 3>> {
  using Color = std::array<int64_t, 3>;
  static nlohmann::json write(const Color& color) { return {color[0], color[1], color[2]}; }
  template <class Field>
  static void read(const JsonFields& fields, const Field& field, Color& out) {
    const nlohmann::json& json = fields.field(field.name);
    if (!json.is_array() || json.size() != out.size()) fields.reject_field(field.name, "3 numbers");
    for (std::size_t c = 0; c < out.size(); ++c) {
      const auto value = static_cast<double>(fields.to_float(json[c], field.name));
      if (std::floor(value) != value || std::abs(value) > 1e6) fields.reject_field(field.name, "3 whole numbers");
      out[c] = static_cast<int64_t>(value);
    }
  }
  template <class Field>
  static void check(const Color& color, const Field& field, Faults& faults) {
    for (std::size_t c = 0; c < color.size(); ++c)
      check_number(concat(field.name, "[", c, "]"), color[c], field, faults);
  }
};

namespace {

constexpr std::string_view kTag = "preprocess";
constexpr const char* kGroup = "Model and pixels";
constexpr const char* kOfBytes = "is it of pixels in 0..255?";
constexpr Range kSides{1, 1 << 14};  // in pixels

bool is_cut(const PreprocessConfig& config) {
  return config.rule == ResizeRule::shorter_side || config.rule == ResizeRule::squash_crop;
}

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
     .help = "side before the centre is cut out: the shorter one, with longer_side the longer one"},
    {.name = "rule",
     .member = kMember<&PreprocessConfig::rule>,
     .stored = Stored::required,
     .option = "--resize",
     .group = kGroup,
     .help = "how pictures become squares: shorter_side cuts the centre out, squash does not keep the shape, "
             "longer_side adds borders"},
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
    {.name = "pad",
     .member = kMember<&PreprocessConfig::pad>,
     .stored = Stored::changed,
     .acts = [](const PreprocessConfig& c) { return is_cut(c) && c.resize_size < c.size + c.trim; },
     .idle = "nothing is smaller than the square"},
    {.name = "fill",
     .member = kMember<&PreprocessConfig::fill>,
     .range = Range{0, 255},
     .stored = Stored::changed,
     .acts = has_borders,
     .idle = "the picture fills the square (--resize longer_side adds borders)",
     .option = "--fill",
     .unit = "R G B",
     .group = kGroup,
     .help = "colour of the borders of longer_side, in 0..255"},
    {.name = "crop_rounding",
     .member = kMember<&PreprocessConfig::crop_rounding>,
     .stored = Stored::changed,
     .acts = [](const PreprocessConfig& c) { return c.rule != ResizeRule::squash; },
     .idle = "squash cuts nothing off"},
    {.name = "resize_on", .member = kMember<&PreprocessConfig::resize_on>, .stored = Stored::changed},
    {.name = "trim", .member = kMember<&PreprocessConfig::trim>, .range = Range{0, 255}, .stored = Stored::changed},
    {.name = "decoding",
     .member = kMember<&PreprocessConfig::decoding>,
     .stored = Stored::changed,
     .option = "--decoding",
     .group = kGroup,
     .help = "gray of more than 8 bits: full_range keeps its upper 8, pillow makes all above 255 white as "
             "convert('RGB') does"},
};

Faults faults_of(const PreprocessConfig& config) {
  Faults faults;
  check_options(preprocess_options(), config, faults);
  const bool free = config.pad || config.rule == ResizeRule::longer_side;
  if (config.rule != ResizeRule::squash)
    faults.range("resize_size", config.resize_size,
                 {free ? kSides.low : static_cast<double>(config.size + config.trim), kSides.high});
  const Interpolation filter = config.interpolation;
  faults.check(
      config.resize_on == ResizeOn::bytes || filter == Interpolation::bilinear || filter == Interpolation::bicubic,
      "interpolation: needs bilinear or bicubic with resize_on floats, has ", word_of(filter));
  return faults;
}

}  // namespace

bool has_borders(const PreprocessConfig& config) {
  return config.rule == ResizeRule::longer_side ||
         (is_cut(config) && config.pad && config.resize_size < config.size + config.trim);
}

bool same_geometry(const PreprocessConfig& a, const PreprocessConfig& b) {
  const auto squashes = [](const PreprocessConfig& c) {
    return c.rule == ResizeRule::squash || (c.rule == ResizeRule::squash_crop && c.resize_size == c.size + c.trim);
  };
  if (a.size != b.size || a.trim != b.trim || a.interpolation != b.interpolation || a.resize_on != b.resize_on)
    return false;
  if (squashes(a) || squashes(b)) return squashes(a) && squashes(b);
  return a.rule == b.rule && a.resize_size == b.resize_size && a.crop_rounding == b.crop_rounding &&
         (!has_borders(a) || a.fill == b.fill);
}

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
    if (config.rule != ResizeRule::squash) fields.reject("field 'resize_size' is missing");
    config.resize_size = config.size;
  }
  faults_of(config).raise(out_of_range, kTag, where);
  return config;
}

}  // namespace vit
