// A published model as it lies on disk - a file of weights, or a folder with config.json, preprocessing and labels
// beside them - as a model of ours.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "vit/model/model_file.h"

namespace vit {

struct ImportModelOptions {
  std::string family = {};                  // a word of the table; empty = recognised by names and shapes
  std::filesystem::path config = {};        // config.json; empty = that of the folder, if it has one
  std::filesystem::path head = {};          // a head that was published apart from its backbone
  std::string preprocess = {};              // a named rule; empty = what lies beside the weights, else the family's
  std::string labels = {};                  // as of labels_of_file; empty = those of the config
  int64_t image_size = 0;                   // side of the pictures; 0 = theirs
  std::optional<int64_t> new_classes = {};  // a new head for so many classes instead of theirs
  std::string source = {}, licence = {};    // kept in the model; empty = what the config says
};

/// What an import found, for people.
struct ImportReport {
  std::string family;
  int64_t parameters = 0;  // of the file that the model is made of
  std::string preprocess;  // where the rule comes from
  std::string labels;      // where the names come from, or why there are none
  struct Dropped {
    std::string name, why;
  };
  std::vector<Dropped> dropped;
  std::vector<std::string> assumed, notes;
};

struct ImportedModel {
  OpenModel open;  // complete but for the weights, which are read from the file when asked for
  ImportReport report;
};

/// Reads names, shapes and everything beside the weights. Throws Error (data) that names tensor or field, Error (usage)
/// for options that do not go together.
ImportedModel import_model(const std::filesystem::path& source, const ImportModelOptions& options = {});

/// The words of --family with what they are, for help: "timm: ...".
std::vector<std::string> import_family_words();
std::string import_families_help();

}  // namespace vit
