#include "vit/layers/parameter.h"

#include <algorithm>

#include "vit/core/error.h"

namespace vit {

int ParameterLayout::add(std::string name, std::vector<int64_t> shape, const ParameterRole& role) {
  if (find(name) != nullptr) fail(ErrorKind::internal, "[parameter] ", name, " is registered twice");
  constexpr int64_t kAlign = 16;
  int64_t count = 1;
  for (int64_t n : shape) count *= n;
  parameters_.push_back({std::move(name), std::move(shape), block_size_, count, role});
  block_size_ += (count + kAlign - 1) / kAlign * kAlign;
  return static_cast<int>(parameters_.size()) - 1;
}

const Parameter* ParameterLayout::find(std::string_view name) const {
  for (const Parameter& p : parameters_)
    if (p.name == name) return &p;
  return nullptr;
}

int64_t ParameterLayout::parameter_count() const {
  int64_t count = 0;
  for (const Parameter& p : parameters_) count += p.count;
  return count;
}

ParameterSource block_source(const ParameterLayout& layout, const ParameterBlock& block) {
  return [&](int parameter) { return ParameterValues{at(block, layout[parameter])}; };
}

void draw_values(const Parameter& p, RandomStream random, float* values) {
  const Draw& draw = p.role.draw;
  switch (draw.kind) {
    case Draw::Kind::constant:
      std::fill_n(values, p.count, draw.value);
      return;
    case Draw::Kind::truncated_normal:
      std::generate_n(values, p.count, [&] { return random.truncated_normal(draw.value); });
      return;
    case Draw::Kind::uniform:
      std::generate_n(values, p.count, [&] { return random.uniform(-draw.value, draw.value); });
      return;
    case Draw::Kind::custom:
      draw.fill(random, values);
  }
}

}  // namespace vit
