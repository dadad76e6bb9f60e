#include "vit/layers/residual.h"

#include <algorithm>

namespace vit {

Residual::Residual(Registry& registry, const std::string& name, const Options& options) : options_(options) {
  if (!options.layer_scale) return;
  gamma_index_ =
      registry.parameter(name + ".gamma", {options.width}, {.draw = Draw::constant(options.layer_scale_init)});
  section_ = registry.section();
}

void Residual::pack(const Packing& packing) {
  if (!layer_scale()) return;
  if (gamma_.size() == 0) gamma_ = AlignedBuffer<float>(options_.width);
  std::copy_n(packing.values(gamma_index_).data, options_.width, gamma_.data());
}

Residual::Saved Residual::plan(Arena& arena, int64_t rows) const {
  return {layer_scale() ? arena.take<float>({rows, options_.width}) : TensorView<float>()};
}

void Residual::forward_train(TensorView<const float> x, const Shard& shard, const Saved& saved,
                             TensorView<float> y) const {
  const ProfileScope profile("residual");
  if (layer_scale()) {
    std::copy_n(y.data(), y.size(), saved.branch.data());
    scale_columns(y, gamma(), y);
  }
  drop_path_rows(shard, y, drop_path_rate(shard), options_.drop_path_site);
  add_to(x.data(), y.size(), y.data());
}

TensorView<float> Residual::backward(TensorView<float> dy, const Saved& saved, const Shard& shard,
                                     const Gradients& gradients, TensorView<float> scratch, bool branch_changes) const {
  const float rate = drop_path_rate(shard);
  if (!layer_scale() && rate <= 0 && !branch_changes) return dy;
  const TensorView<float> dbranch = scratch.slice(0, dy.rows());
  std::copy_n(dy.data(), dy.size(), dbranch.data());
  drop_path_rows(shard, dbranch, rate, options_.drop_path_site);
  if (layer_scale()) {
    gradients.in_turn(section_, shard,
                      [&] { add_column_dots(dbranch, saved.branch.slice(0, dy.rows()), gradients.at(gamma_index_)); });
    scale_columns(dbranch, gamma(), dbranch);
  }
  return dbranch;
}

}  // namespace vit
