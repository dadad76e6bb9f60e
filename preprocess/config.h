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
};
enum class Interpolation { bilinear, bicubic, area };

template <>
inline constexpr Word<ResizeRule> kWords<ResizeRule>[] = {{ResizeRule::shorter_side, "shorter_side"},
                                                          {ResizeRule::squash, "squash"}};
template <>
inline constexpr Word<Interpolation> kWords<Interpolation>[] = {
    {Interpolation::bilinear, "bilinear"}, {Interpolation::bicubic, "bicubic"}, {Interpolation::area, "area"}};

struct PreprocessConfig {
  int64_t size = 224;         // side of the square that the model takes
  int64_t resize_size = 224;  // shorter_side only; >= size
  ResizeRule rule = ResizeRule::shorter_side;
  Interpolation interpolation = Interpolation::bicubic;
  std::array<float, 3> mean{0.5f, 0.5f, 0.5f};  // of pixels in 0..1, RGB
  std::array<float, 3> std{0.5f, 0.5f, 0.5f};
  bool exif_rotate = false;  // pictures are turned upright as their EXIF orientation says, before all else

  bool operator==(const PreprocessConfig&) const = default;
};

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
