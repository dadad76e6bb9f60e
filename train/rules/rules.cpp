// The table of update rules.
#include "train/rules/update_rule.h"
#include "vit/core/word_rows.h"

namespace vit {

std::unique_ptr<UpdateRule> make_adamw(const TrainConfig& config);
std::unique_ptr<UpdateRule> make_sgd(const TrainConfig& config);

namespace {

constexpr UpdateRuleEntry kRules[] = {
    {"adamw", make_adamw, {"beta1", "beta2", "adam_eps"}},
    {"sgd", make_sgd, {"momentum", "nesterov"}},
};

}  // namespace

std::span<const UpdateRuleEntry> update_rules() { return kRules; }

std::vector<std::string> update_rule_words() { return row_words(kRules); }

const UpdateRuleEntry& update_rule_entry(const TrainConfig& config) {
  return row_of(kRules, config.optimizer, "[train_config] optimizer:");
}

std::unique_ptr<UpdateRule> make_update_rule(const TrainConfig& config) {
  return update_rule_entry(config).make(config);
}

}  // namespace vit
