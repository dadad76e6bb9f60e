#include "vit/layers/parameter.h"

#include "vit/core/error.h"

namespace vit {

int ParameterLayout::add(std::string name, std::vector<int64_t> shape, bool decay) {
  if (find(name) != nullptr) fail(ErrorKind::internal, "[parameter] ", name, " is registered twice");
  constexpr int64_t kAlign = 16;
  int64_t count = 1;
  for (int64_t n : shape) count *= n;
  parameters_.push_back({std::move(name), std::move(shape), block_size_, count, decay});
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

}  // namespace vit
