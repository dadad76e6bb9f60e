// Preprocessing of published models: rules by name, and what the files beside their weights say. All decode as Pillow's
// convert('RGB') does (`decoding` pillow), because their own programs do.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "preprocess/config.h"

namespace vit {

struct PublishedRule {
  PreprocessConfig config;
  std::vector<std::string> notes;  // what was assumed, adapted or left unused: a line each, for people
};

/// The rules by name, in the order of the help.
std::vector<std::string> published_rule_names();
/// "name: what it does", a line each.
std::string published_rules_help();
/// `side` 0: its own, else it is scaled as its program would: the share that the crop keeps stays. Throws Error (usage)
/// for a name that is none, or a side out of range.
PreprocessConfig published_rule(std::string_view name, int64_t side = 0);

// Of files. `where` names the file in errors, `side` is as above. All throw Error (data) in one line that names the
// field for what contradicts itself, is of another type, or makes no squares of size x size; what is unknown there and
// changes nothing that is known is noted.

/// timm's config.json: with `pretrained_cfg` inside, or an older flat one.
PublishedRule preprocess_from_timm(const nlohmann::json& file, std::string_view where, int64_t side = 0);
/// preprocessor_config.json of transformers, also nested as `image_processor` in processor_config.json. The pixels are
/// those of the class with the ending Pil. A file that names no class is read as one of `processor`.
PublishedRule preprocess_from_transformers(const nlohmann::json& file, std::string_view where, int64_t side = 0,
                                           std::string_view processor = {});
/// The class that transformers takes for a `model_type` of config.json; empty for others.
std::string_view transformers_processor(std::string_view model_type);
/// open_clip_config.json.
PublishedRule preprocess_from_open_clip(const nlohmann::json& file, std::string_view where, int64_t side = 0);
/// Any of these, told by its fields.
PublishedRule published_preprocess(const nlohmann::json& file, std::string_view where, int64_t side = 0,
                                   std::string_view processor = {});

}  // namespace vit
