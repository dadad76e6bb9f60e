// What config.json of timm's folders says: the name of an architecture and what differs from it.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "vit/families/family.h"

namespace vit {

class TimmConfig {
 public:
  explicit TimmConfig(const nlohmann::json& config);

  /// "vit_base_patch16_224"; empty where nothing says it.
  const std::string& architecture() const { return architecture_; }
  bool named(std::string_view part) const { return architecture_.find(part) != std::string::npos; }
  /// Arguments that differ from those of the architecture.
  const nlohmann::json& arguments() const { return arguments_; }
  /// "avg", "token", "map"; empty where nothing says it.
  const std::string& pooling() const { return pooling_; }
  /// Side of the model's own pictures, where an argument says it.
  std::optional<int64_t> image_size() const;
  /// Side of the pictures that its preprocessing makes.
  std::optional<int64_t> input_size() const;

  /// Sets what arguments say and no tensor shows: heads, activation. Throws Error (data) for words that are not known
  /// and for arguments in `refused` that are set.
  void apply(ModelConfig& config) const;
  /// Throws Error (data) where an argument of these names is there and neither null nor false nor zero.
  void refuse(std::initializer_list<const char*> arguments) const;

 private:
  std::string architecture_, pooling_;
  nlohmann::json arguments_, pretrained_;
};

// ---- what both of timm's classes have ----

/// Reads what names and shapes tell: width, depth, patch, tokens in front, feed-forward, norms, head. Heads stay 0.
ModelConfig timm_shapes(const Checkpoint& checkpoint);
/// Side of the grid of positions, and whether tokens in front have rows of the table (set in `config`). Without a table
/// the size that the config says, else 224 pixels, which `assumed` then tells.
int64_t timm_grid(const Checkpoint& checkpoint, const TimmConfig& timm, ModelConfig& config,
                  std::vector<std::string>& assumed);
/// One rule for each parameter: their names are ours but for those that `rows` say otherwise; biases that the first
/// block has not are zeros.
std::vector<Rule> timm_rules(const Checkpoint& checkpoint, const ModelConfig& config, std::span<const NameRow> rows);
/// Options where the preprocessing has another size than the positions and the model is of dynamic sizes.
ImportOptions timm_options(const ImportOptions& options, const TimmConfig& timm, bool dynamic);

}  // namespace vit
