// How weights follow their gradients: one rule a file of this folder, one row of the table in rules.cpp. What all rules
// share (norm, clipping, steps that are not finite, the cut into pieces) is in train/optimizer.h.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "train/config.h"
#include "vit/layers/parameter.h"

namespace vit {

/// What all pieces of a step have in common.
struct UpdateStep {
  float lr = 0;
  float grad_scale = 1;  // gradients are multiplied by it first
  int64_t update = 1;    // counts from 1; skipped steps do not count
};

inline constexpr std::size_t kMostStates = 4;

/// A run of numbers of one parameter, in the weights and in all blocks of their layout.
struct UpdatePiece {
  const Parameter& parameter;
  int64_t begin = 0;  // of the parameter's numbers; 0 and all of them for a rule of whole parameters
  int64_t count = 0;
  const float* gradients = nullptr;
  float* weights = nullptr;
  std::array<float*, kMostStates> states{};  // in the order of state_names()
};

class UpdateRule {
 public:
  UpdateRule() = default;
  UpdateRule(const UpdateRule&) = delete;
  UpdateRule& operator=(const UpdateRule&) = delete;
  virtual ~UpdateRule() = default;

  /// The blocks that are kept from step to step, zero before the first; a checkpoint has them under these names. At
  /// most kMostStates.
  virtual std::vector<std::string> state_names() const = 0;
  /// Whether update() needs all numbers of a parameter at once, and not pieces that stay in a cache.
  virtual bool whole_parameters() const { return false; }
  /// Many threads call it at once, with pieces that are the same for any number of threads; it allocates nothing.
  virtual void update(const UpdateStep& step, const UpdatePiece& piece) const = 0;
};

/// A row of the table.
struct UpdateRuleEntry {
  std::string_view word;  // TrainConfig::optimizer
  std::unique_ptr<UpdateRule> (*make)(const TrainConfig&);
  std::array<std::string_view, 6> options;  // fields of TrainConfig that no rule reads but those which list them

  bool reads(std::string_view field) const { return std::ranges::find(options, field) != options.end(); }
};
std::span<const UpdateRuleEntry> update_rules();
/// The words of all rows.
std::vector<std::string> update_rule_words();
/// The row of config.optimizer. Throws Error (usage) that lists the words.
const UpdateRuleEntry& update_rule_entry(const TrainConfig& config);
/// The rule itself. Throws Error (usage) also for options that it cannot have.
std::unique_ptr<UpdateRule> make_update_rule(const TrainConfig& config);

}  // namespace vit
