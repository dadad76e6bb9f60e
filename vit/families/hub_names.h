// What the families of Hugging Face's transformers and of open_clip are read with: names of several versions, and the
// fields of config.json.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vit/families/family.h"

namespace vit {

/// How a file calls what the table of names calls otherwise: prefixes, names of another version. The pairs are tried in
/// their order, each where it stands first in the name as the ones before left it.
class Renaming {
 public:
  void add(std::string_view from, std::string_view to) { pairs_.emplace_back(from, to); }
  std::string operator()(std::string_view name) const;
  void apply(std::vector<Rule>& rules) const;

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

/// The first of the prefixes with which the file has the name; null where there is none.
const std::string_view* prefix_of(const Checkpoint& checkpoint, std::string_view name,
                                  std::span<const std::string_view> prefixes);

/// width and patch_size from a projection [D, 3, P, P]. Throws Error (data) for other channels and oblong patches.
void read_patch_projection(const Checkpoint& checkpoint, const std::string& name, ModelConfig& config);

/// The object under `field`, or null. Throws Error (data) for another type.
const nlohmann::json& config_object(const nlohmann::json& config, const char* field);
/// A whole number above 0, or two equal ones.
int64_t config_side(const nlohmann::json& config, const char* field, int64_t fallback);
/// The activation by transformers' words.
Activation config_activation(const nlohmann::json& config, const char* field, std::string_view fallback);
/// Above 0 and below 1.
float config_eps(const nlohmann::json& config, const char* field, double fallback);
/// A divisor of the width; where there is no config, heads of 64 numbers, as far as that goes.
int64_t config_heads(const nlohmann::json& config, const char* field, int64_t width, int64_t fallback);
/// Throws Error (data) where the field is there and says something else than the tensors.
void check_config(const nlohmann::json& config, const char* field, int64_t of_tensors);
/// The same of the side of a patch.
void check_patch_size(const nlohmann::json& config, int64_t of_tensors);
/// What is assumed where there is no config; says nothing where there is one.
void assume(const nlohmann::json& config, std::string text, Recognised& found);

/// Names of a ViT of transformers with "vit." in front, as its save_pretrained writes them.
std::vector<NameRow> hf_vit_rows();
/// How a file calls the names of hf_vit_rows(), if its trunk has one of these prefixes; `embedded` is a tensor that
/// only this kind of file has. Null where it is of another kind.
std::optional<Renaming> hf_vit_renaming(const Checkpoint& checkpoint, std::string_view embedded,
                                        std::span<const std::string_view> prefixes);
/// The sizes of such a ViT, and what its config says.
void read_hf_vit(const Checkpoint& checkpoint, const Renaming& file, Recognised& found);
/// Our first `count` dimensions, which are 1, are not there in their shape.
void without_ones(std::string_view ours, std::size_t count, std::vector<Rule>& rules);
/// The side of the grid of a table of positions [.., N, D] of which `prefix` rows are no patches; checks image_size.
int64_t read_grid(const Checkpoint& checkpoint, const std::string& name, std::size_t dimensions, int64_t prefix,
                  const nlohmann::json& config, ModelConfig& model);

/// Names of an image tower of transformers with "vision_model." in front.
std::vector<NameRow> hf_tower_rows();
/// The config of the image tower: the part that is for it, or all.
nlohmann::json config_of_tower(const nlohmann::json& config);
struct TowerDefaults {
  std::string_view activation;
  double eps;
};
/// The sizes of such a tower, and what its config says.
void read_hf_tower(const Checkpoint& checkpoint, const nlohmann::json& config, const Renaming& file,
                   const TowerDefaults& defaults, ModelConfig& m);
void drop_text_tower(const Checkpoint& checkpoint, const Renaming& file, Recognised& found);

/// Resizing as torch.nn.functional.interpolate(mode="bicubic") does it.
inline constexpr GridFilter kPlainBicubic{
    .kernel = GridFilter::Kernel::bicubic, .antialias = false, .align_corners = false, .scale_offset = 0};

}  // namespace vit
