// What a model is trained towards: from logits and targets to losses and the gradients of the logits. One objective a
// file of train/objectives, one row of the table in objective.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "train/config.h"
#include "vit/core/tensor_view.h"

namespace vit {

/// What each of B images shows: a label, a mix of two labels, or a share of every class.
struct Targets {
  const int32_t* labels = nullptr;  // [B]
  const int32_t* second = nullptr;  // [B]; null = one label an image
  const float* share = nullptr;     // [B] of the first label, in 0..1; the second has the rest
  TensorView<const float> soft{};   // [B, C], in place of the labels; the shares of an image add up to 1

  /// Of the images from `begin` on.
  Targets from(int64_t begin) const;
  bool given() const { return labels != nullptr || soft; }
};

class Objective {
 public:
  Objective() = default;
  Objective(const Objective&) = delete;
  Objective& operator=(const Objective&) = delete;
  virtual ~Objective() = default;

  /// losses [B] of logits [B, C]; dlogits [B, C] = scale * d(loss of the row)/d(logits). Many threads call it at once,
  /// on their own rows. Throws Error (internal) for a label that is no class.
  virtual void run(TensorView<const float> logits, const Targets& targets, float scale, float* losses,
                   TensorView<float> dlogits) const = 0;
};

/// A row of the table: the word of TrainConfig::objective.
struct ObjectiveEntry {
  std::string_view word;
  std::shared_ptr<const Objective> (*make)(const TrainConfig&);
};
/// The words of all rows.
std::vector<std::string> objective_words();
/// The objective of config.objective. Throws Error (usage) that lists the words.
std::shared_ptr<const Objective> make_objective(const TrainConfig& config);

/// Throws Error (internal) that names the row, for labels outside 0 <= label < classes and for targets that are not
/// given.
void check_targets(const Targets& targets, int64_t rows, int64_t classes);

}  // namespace vit
