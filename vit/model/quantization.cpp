#include "vit/model/quantization.h"

#include <algorithm>
#include <cmath>

#include "vit/core/json_fields.h"
#include "vit/core/json_text.h"

namespace vit {

std::vector<std::string> quantizable_weights(const ParameterLayout& layout) {
  std::vector<std::string> names;
  for (const Parameter& p : layout.all())
    if (p.role.product) names.push_back(p.name);
  return names;
}

std::function<float(int weight)> input_scale_of(const Quantization& quantization, const ParameterLayout& layout) {
  std::vector<float> scales;
  for (const Parameter& p : layout.all()) {
    const auto found = quantization.input_scales.find(p.name);
    scales.push_back(found != quantization.input_scales.end() ? found->second : 0);
  }
  return [scales = std::move(scales)](int weight) { return scales[static_cast<std::size_t>(weight)]; };
}

nlohmann::json to_json(const Quantization& quantization) {
  nlohmann::json scales = nlohmann::json::object();
  for (const auto& [name, scale] : quantization.input_scales) scales[name] = shortest_double(scale);
  return {{"input_scales", scales}, {"record", quantization.record}};
}

Quantization quantization_from_json(const nlohmann::json& json, const ParameterLayout& layout, std::string_view where) {
  const JsonFields fields(json, "quantization", where);
  fields.allow_only({"input_scales", "record"});
  Quantization quantization;
  quantization.record = fields.field("record");
  const nlohmann::json& scales = fields.field("input_scales");
  if (!scales.is_object() || scales.empty())
    fields.reject("field 'input_scales' needs an object of at least one weight, has ", scales.type_name());
  const std::vector<std::string> known = quantizable_weights(layout);
  for (const auto& item : scales.items()) {
    if (std::find(known.begin(), known.end(), item.key()) == known.end())
      fields.reject("input_scales: '", item.key(), "' is no weight that can be int8");
    const float scale = fields.to_float(item.value(), item.key().c_str());
    if (!(std::isnormal(scale) && scale > 0))
      fields.reject("input_scales: '", item.key(), "' needs a positive number, has ", json_text(item.value()));
    quantization.input_scales[item.key()] = scale;
  }
  return quantization;
}

}  // namespace vit
