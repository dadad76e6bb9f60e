// How a model is quantised to int8: which matrices, and what one unit of their inputs stands for.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "vit/layers/parameter.h"

namespace vit {

/// Products of these weights run in int8, where the engine is asked to; all others in bf16 or fp32 (the head).
struct Quantization {
  std::map<std::string, float> input_scales;  // by weight name: one unit of the product's int8 input
  nlohmann::json record;                      // how they came to be and what they cost, for people; may be null

  /// The model was not quantised.
  bool empty() const { return input_scales.empty(); }
  bool contains(const std::string& weight) const { return input_scales.contains(weight); }
};

/// The weights that can be int8: the four matrices of each block.
std::vector<std::string> quantizable_weights(const ParameterLayout& layout);

/// Packing::input_scale for a layout; 0 for weights that are not quantised.
std::function<float(int weight)> input_scale_of(const Quantization& quantization, const ParameterLayout& layout);

nlohmann::json to_json(const Quantization& quantization);
/// Throws Error (data) for a scale that is no positive number or belongs to no quantisable weight; `where` is the file
/// for the message.
Quantization quantization_from_json(const nlohmann::json& json, const ParameterLayout& layout, std::string_view where);

}  // namespace vit
