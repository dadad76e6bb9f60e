#include "infer/export/weights_files.h"

#include <cmath>
#include <limits>

#include "vit/core/json_text.h"
#include "vit/core/options.h"

namespace vit {

void check_published_parts(const ModelConfig& c, Faults& faults) {
  check_plain(c, {"tokenizer", "mixer", "stages", "relative_bias"}, faults);
}

void check_plain(const ModelConfig& config, std::span<const std::string_view> names, Faults& faults) {
  const ModelConfig plain;
  for (const std::string_view name : names) {
    const OptionField<ModelConfig>* field = nullptr;
    for (const OptionField<ModelConfig>& row : model_options())
      if (row.name == name) field = &row;
    if (field == nullptr) fail(ErrorKind::internal, "[export] a model config has no field ", name);
    const nlohmann::json wanted = field->member.write(plain), value = field->member.write(config);
    faults.check(value == wanted, name, ": needs ", json_text(wanted), ", has ", json_text(value));
  }
}

double mlp_ratio(int64_t width, int64_t hidden) {
  double ratio = static_cast<double>(hidden) / static_cast<double>(width);
  while (static_cast<int64_t>(static_cast<double>(width) * ratio) < hidden)
    ratio = std::nextafter(ratio, std::numeric_limits<double>::max());
  return ratio;
}

std::string origin_text(const Model& model, const char* field) {
  if (!model.origin.is_object() || !model.origin.contains(field)) return {};
  const nlohmann::json& value = model.origin[field];
  return value.is_string() ? value.get<std::string>() : json_text(value);
}

}  // namespace vit
