// Names of the classes of a published model: what lies beside it says them, a file of the user's, or a table in here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace vit {

struct Labels {
  std::vector<std::string> names;  // one a class, all of them different; or none
  std::string source;              // "config.json", the file, "ImageNet-1k, built in"; why there are none
};

/// Of a folder's config.json (may be null) and a head of so many classes, in this order: id2label, label_names with
/// label_descriptions, labels (of transformers and timm; LABEL_0, LABEL_1, ... count for nothing); ImageNet-1k's where
/// there are 1000 classes and the config says that they are its, or `family` has published no others. Throws Error
/// (data) that names the field for a list that does not fit the head, and for what is no text.
Labels labels_of_config(const nlohmann::json& config, int64_t classes, std::string_view family = "");

/// Of --labels: "imagenet-1k" (names), "imagenet-1k-synsets" (n01440764, ..., as its folders are called), or a file:
/// one name a line; CSV of index and name, with or without a first line of titles; JSON: a list, {"0": name, ...},
/// {name: 0, ...}, {"0": [synset, name], ...}, or an object with id2label. Throws Error (data, io) that names the place
/// where a name is missing, there twice or no UTF-8, or where there are not as many as `classes`.
Labels labels_of_file(const std::string& file, int64_t classes);

/// ImageNet-1k's names, and the identifiers of WordNet.
std::vector<std::string> imagenet_names();
std::vector<std::string> imagenet_synsets();

}  // namespace vit
