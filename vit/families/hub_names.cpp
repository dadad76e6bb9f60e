#include "vit/families/hub_names.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "vit/core/error.h"
#include "vit/core/json_text.h"

namespace vit {
namespace {

const nlohmann::json kNull;

const nlohmann::json& field_of(const nlohmann::json& config, const char* field) {
  return config.is_object() && config.contains(field) ? config[field] : kNull;
}

template <class... Parts>
[[noreturn]] void reject(const char* field, const Parts&... parts) {
  fail(ErrorKind::data, "[config.json] ", field, ": ", parts...);
}

struct ActivationName {
  std::string_view name;
  Activation activation;
};
constexpr std::array kActivations{
    ActivationName{"gelu", Activation::gelu_erf},         ActivationName{"gelu_python", Activation::gelu_erf},
    ActivationName{"gelu_new", Activation::gelu_tanh},    ActivationName{"gelu_pytorch_tanh", Activation::gelu_tanh},
    ActivationName{"gelu_fast", Activation::gelu_tanh},   ActivationName{"gelu_accurate", Activation::gelu_tanh},
    ActivationName{"quick_gelu", Activation::quick_gelu},
};

constexpr int64_t kUsualHead = 64;

}  // namespace

std::string Renaming::operator()(std::string_view name) const {
  std::string text(name);
  for (const auto& [from, to] : pairs_)
    if (const std::size_t at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

void Renaming::apply(std::vector<Rule>& rules) const {
  for (Rule& rule : rules)
    for (Piece& piece : rule.pieces)
      if (!piece.name.empty()) piece.name = (*this)(piece.name);
}

const std::string_view* prefix_of(const Checkpoint& checkpoint, std::string_view name,
                                  std::span<const std::string_view> prefixes) {
  for (const std::string_view& prefix : prefixes)
    if (checkpoint.has(concat(prefix, name))) return &prefix;
  return nullptr;
}

void read_patch_projection(const Checkpoint& checkpoint, const std::string& name, ModelConfig& config) {
  const std::vector<int64_t>& shape = checkpoint.shape(name, 4);
  if (shape[1] != 3 || shape[2] != shape[3])
    fail(ErrorKind::data, "[import] ", name, " in ", checkpoint.tensors.path().string(),
         " needs 3 channels and square patches, has ", shape[1], " channels and patches of ", shape[2], " x ",
         shape[3]);
  config.width = shape[0];
  config.patch_size = shape[2];
}

const nlohmann::json& config_object(const nlohmann::json& config, const char* field) {
  const nlohmann::json& value = field_of(config, field);
  if (!value.is_null() && !value.is_object()) reject(field, "needs an object, has ", json_text(value));
  return value;
}

int64_t config_side(const nlohmann::json& config, const char* field, int64_t fallback) {
  const nlohmann::json& value = field_of(config, field);
  int64_t side = 0;
  if (value.is_array()) {
    if (value.size() != 2 || value[0] != value[1] || !value[0].is_number_integer())
      reject(field, "needs one whole number or two equal ones, has ", json_text(value), "; only squares are known");
    side = config_integer(nlohmann::json{{field, value[0]}}, field, fallback);
  } else {
    side = config_integer(config, field, fallback);
  }
  if (side < 1) reject(field, "needs at least 1, has ", side);
  return side;
}

Activation config_activation(const nlohmann::json& config, const char* field, std::string_view fallback) {
  const std::string name = config_text(config, field, fallback);
  std::string known;
  for (const ActivationName& row : kActivations) {
    if (row.name == name) return row.activation;
    known += concat(known.empty() ? "" : ", ", row.name);
  }
  reject(field, "needs one of ", known, ", has ", json_text(nlohmann::json(name)));
}

float config_eps(const nlohmann::json& config, const char* field, double fallback) {
  const double eps = config_number(config, field, fallback);
  const auto narrow = static_cast<float>(eps);
  if (!(narrow > 0 && narrow < 1)) reject(field, "needs a number above 0 and below 1, has ", eps);
  return narrow;
}

int64_t config_heads(const nlohmann::json& config, const char* field, int64_t width, int64_t fallback) {
  if (config.is_null()) return width % kUsualHead == 0 ? width / kUsualHead : 1;
  const int64_t heads = config_integer(config, field, fallback);
  if (heads < 1 || heads > width || width % heads != 0)
    reject(field, "needs a divisor of the width ", width, ", has ", heads);
  return heads;
}

namespace {

void check_said(const char* field, int64_t said, int64_t of_tensors) {
  if (said != of_tensors)
    reject(field, "is ", said, ", but the tensors have ", of_tensors, "; does it belong to another file?");
}

}  // namespace

void check_config(const nlohmann::json& config, const char* field, int64_t of_tensors) {
  check_said(field, config_integer(config, field, of_tensors), of_tensors);
}

void check_patch_size(const nlohmann::json& config, int64_t of_tensors) {
  check_said("patch_size", config_side(config, "patch_size", of_tensors), of_tensors);
}

void assume(const nlohmann::json& config, std::string text, Recognised& found) {
  if (config.is_null()) found.assumed.push_back(std::move(text));
}

void without_ones(std::string_view ours, std::size_t count, std::vector<Rule>& rules) {
  Rule* rule = find_rule(rules, ours);
  if (rule == nullptr) return;
  for (Piece& piece : rule->pieces)
    piece.shape.erase(piece.shape.begin(), piece.shape.begin() + static_cast<std::ptrdiff_t>(count));
}

int64_t read_grid(const Checkpoint& checkpoint, const std::string& name, std::size_t dimensions, int64_t prefix,
                  const nlohmann::json& config, ModelConfig& model) {
  const int64_t side = grid_side(checkpoint.shape(name, dimensions)[dimensions - 2] - prefix, name);
  const int64_t size = config_side(config, "image_size", side * model.patch_size);
  if (size / model.patch_size != side)
    reject("image_size", "is ", size, ", but ", name, " is for ", side, " x ", side, " patches of ", model.patch_size,
           " pixels; does it belong to another file?");
  model.image_size = side * model.patch_size;
  return side;
}

}  // namespace vit
