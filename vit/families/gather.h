// Our parameters from the tensors of a file, by rules.
#pragma once

#include <memory>
#include <vector>

#include "vit/families/family.h"
#include "vit/model/model_file.h"

namespace vit {

/// Whether the tensor is the piece with dimensions run together: patch projections of old files.
bool is_flat(const Piece& piece, const TensorEntry& entry);

/// from [...] in the order of `piece`'s file to its order here, or back.
void permute(const Piece& piece, bool back, const float* from, float* to);

/// Reads and puts together one parameter at a time, those without a rule as fresh ones. Many threads may ask at once.
/// Throws Error (data) for a value that is not finite.
ParameterSource gathered(std::shared_ptr<const TensorFile> file, const Model& model, std::vector<Rule> rules);

}  // namespace vit
