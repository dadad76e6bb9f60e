// Weights of a published model as those of a model of ours, and the other way round. Parameters are gathered one at a
// time: neither the file nor the model is in memory as a whole.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vit/families/family.h"
#include "vit/io/tensor_file.h"
#include "vit/model/model_file.h"

namespace vit {

/// The tensors of a file with their wrappers taken off: of all names in common "model.", "state_dict.", "module." and
/// the like. `head` may be null: the tensors of a head that was published alone, seen as "linear_head.*".
std::shared_ptr<const TensorFile> unwrapped(std::shared_ptr<const TensorFile> file,
                                            std::shared_ptr<const TensorFile> head = nullptr);

struct ImportedWeights {
  const Family* family = nullptr;
  OpenModel open;          // a model without preprocessing and labels, whose weights are read from the file
  int64_t parameters = 0;  // numbers of the file that the model is made of; ours may have zeros where it has nothing
  std::vector<Dropped> dropped;
  std::vector<std::string> assumed;
  std::vector<std::string> notes;
};

/// Recognises the checkpoint (or takes it as of `family`, where that is not empty) and checks that each of our
/// parameters has its tensors, in the right shapes, and that each tensor is used or dropped for a reason. Nothing but
/// names and shapes is read. Throws Error (data) that names the tensors.
ImportedWeights import_weights(std::shared_ptr<const TensorFile> file, const nlohmann::json& config,
                               const ImportOptions& options, std::string_view family = "");

/// A model as a file of `family`: entries and values by its rules. Keeps layout and source. Throws Error (usage) where
/// the family cannot hold it; reading throws Error (usage) where a value has no place in their file (biases of keys
/// but for those on which nothing depends).
std::unique_ptr<TensorFile> exported_tensors(const Family& family, const Model& model, ParameterSource weights);
/// The same with rules of one's own.
std::unique_ptr<TensorFile> exported_tensors(std::vector<Rule> rules, const Model& model, ParameterSource weights);

}  // namespace vit
