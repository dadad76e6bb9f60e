// How pixels become numbers. Stored in data sets and models, so that training, eval and classify agree.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "vit/core/error.h"
#include "vit/core/option_table.h"
#include "vit/core/words.h"

namespace vit {

enum class ResizeRule {
  squash,        // to size x size, the shape is not kept
  shorter_side,  // the shorter side to resize_size, then the centre size x size
  squash_crop,   // to resize_size x resize_size, the shape is not kept, then the centre
  longer_side,   // the longer side to resize_size, then the centre, with borders of `fill` where it is too small
};
/// The filters of Pillow, with its arithmetic (preprocess/resample.h). Box is written as `area`, its older word here.
enum class Interpolation { bilinear, bicubic, area, nearest, hamming, lanczos, box = area };
/// Where the centre lies when half a pixel is left.
enum class CropRounding {
  even,   // at the even neighbour, and the larger border behind: torchvision, timm, open_clip
  floor,  // at the lower neighbour, and the larger border before: transformers
};
enum class ResizeOn {
  bytes,   // each pass rounds to bytes: Pillow
  floats,  // of bytes / 255, not rounded: torch's interpolate with antialias
};
enum class Decoding {
  full_range,  // as Pillow, but gray of more than 8 bits keeps its upper 8
  pillow,      // Pillow's convert('RGB'): gray above 255 is white
};

template <>
inline constexpr Word<ResizeRule> kWords<ResizeRule>[] = {{ResizeRule::shorter_side, "shorter_side"},
                                                          {ResizeRule::squash, "squash"},
                                                          {ResizeRule::squash_crop, "squash_crop"},
                                                          {ResizeRule::longer_side, "longer_side"}};
template <>
inline constexpr Word<Interpolation> kWords<Interpolation>[] = {
    {Interpolation::bilinear, "bilinear"}, {Interpolation::bicubic, "bicubic"}, {Interpolation::area, "area"},
    {Interpolation::nearest, "nearest"},   {Interpolation::box, "box"},         {Interpolation::hamming, "hamming"},
    {Interpolation::lanczos, "lanczos"}};
template <>
inline constexpr Word<CropRounding> kWords<CropRounding>[] = {{CropRounding::even, "even"},
                                                              {CropRounding::floor, "floor"}};
template <>
inline constexpr Word<ResizeOn> kWords<ResizeOn>[] = {{ResizeOn::bytes, "bytes"}, {ResizeOn::floats, "floats"}};
template <>
inline constexpr Word<Decoding> kWords<Decoding>[] = {{Decoding::full_range, "full_range"},
                                                      {Decoding::pillow, "pillow"}};

struct PreprocessConfig {
  int64_t size = 224;         // side of the square that the model takes
  int64_t resize_size = 224;  // not of squash; >= size, but for longer_side and with `pad`
  ResizeRule rule = ResizeRule::shorter_side;
  Interpolation interpolation = Interpolation::bicubic;
  std::array<float, 3> mean{0.5f, 0.5f, 0.5f};  // of pixels in 0..1, RGB
  std::array<float, 3> std{0.5f, 0.5f, 0.5f};
  bool exif_rotate = false;              // pictures are turned upright as their EXIF orientation says, before all else
  bool pad = false;                      // resize_size may be below size: the rest of the square is `fill`
  std::array<int64_t, 3> fill{0, 0, 0};  // RGB of borders
  CropRounding crop_rounding = CropRounding::even;
  ResizeOn resize_on = ResizeOn::bytes;  // floats: bilinear and bicubic only
  int64_t trim = 0;                      // the square is made larger by this and cut on the right and below
  Decoding decoding = Decoding::full_range;

  bool operator==(const PreprocessConfig&) const = default;
};

/// True where the square may have borders of `fill`.
bool has_borders(const PreprocessConfig& config);
/// True where both make the same pixels of every picture (mean and std do not matter, and what has no effect).
/// `decoding` and `exif_rotate` are left to the caller: they change few kinds of files.
bool same_geometry(const PreprocessConfig& a, const PreprocessConfig& b);

/// The fields: their JSON, ranges and options of the command line.
OptionTable<PreprocessConfig> preprocess_options();
/// All faults in one Error (usage).
void validate(const PreprocessConfig& config);
nlohmann::json to_json(const PreprocessConfig& config);
/// Throws Error (data) that names the field; `where` is the file. `out_of_range`: the kind where a value has the right
/// type but cannot be.
PreprocessConfig preprocess_config_from_json(const nlohmann::json& json, std::string_view where,
                                             ErrorKind out_of_range = ErrorKind::data);

}  // namespace vit
