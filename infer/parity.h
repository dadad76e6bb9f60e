// Our model beside a dump of another program's (tools/parity_dump.py): pixels, patch rows, tokens, each block, features
// and logits of the same picture files, compared in the order in which they are computed. The first stage that differs
// says where the two part.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "vit/model/model_file.h"

namespace vit {

struct ParityOptions {
  double tolerance = 1e-4;  // a value agrees when it is within tolerance * (1 + |reference|)
};

/// One stage: ours beside the reference's.
struct StageComparison {
  std::string stage;  // "pixels", "patch rows", "tokens", "block 3", "features", "logits"
  std::vector<int64_t> ours,
      theirs;           // shapes, empty where there is no such stage; nothing else is known where they differ
  double max_abs = 0;   // largest difference of two values
  double relative = 0;  // |difference| / |reference|, over all values
  double cosine = 1;
  int64_t beyond = 0;  // values outside the tolerance
  bool agrees = false;
};

/// Stages from the picture files on, or from the reference's own pixels.
struct ParityRun {
  std::vector<StageComparison> stages;
  std::string cause;  // likely, of the first one that differs; empty where all agree

  /// Null where all agree.
  const StageComparison* first_difference() const;
};

struct ParityResult {
  ParityRun run;
  std::optional<ParityRun> from_pixels;  // where the pixels differ: the network on the reference's pixels
  nlohmann::json metadata;               // of the reference
  int64_t pictures = 0;
  int64_t same_answers = 0;  // pictures with the same largest logit; 0 where the reference has no logits
  bool has_answers = false;
  double tolerance = 0;

  bool agrees() const { return run.first_difference() == nullptr; }
};

/// Runs `model` in fp32 on the pictures of the reference. Throws Error (data) for a reference or picture that cannot be
/// read and a model without preprocessing; io where a file is not there. `where` names the model in messages.
ParityResult compare_with_reference(const OpenModel& model, const std::string& where,
                                    const std::filesystem::path& reference, const ParityOptions& options = {});

/// A table of the stages, the first that differs and why.
std::string parity_text(const ParityResult& result);
/// The fields of `vit parity --json` (docs/formats.md).
nlohmann::ordered_json parity_json(const ParityResult& result);

}  // namespace vit
