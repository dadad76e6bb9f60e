#include "vit/layers/qk_norm.h"

#include <algorithm>

namespace vit {
namespace {

std::size_t index_of(QueryOrKey which) { return static_cast<std::size_t>(which); }

}  // namespace

QueryKeyNorm::QueryKeyNorm(Registry& registry, const std::string& name, const Options& options) : options_(options) {
  for (const QueryOrKey which : {QueryOrKey::query, QueryOrKey::key}) {
    Part& part = parts_[index_of(which)];
    const std::string own = name + (which == QueryOrKey::query ? ".q_norm" : ".k_norm");
    part.weight = registry.parameter(own + ".weight", {options.head_size}, {.draw = Draw::constant(1)});
    if (options.kind == HeadNorm::Kind::layer) part.bias = registry.parameter(own + ".bias", {options.head_size}, {});
  }
  section_ = registry.section();
}

void QueryKeyNorm::pack(const Packing& packing) {
  const auto take = [&](int parameter, AlignedBuffer<float>& to) {
    if (parameter < 0) return;
    if (to.size() == 0) to = AlignedBuffer<float>(options_.head_size);
    std::copy_n(packing.values(parameter).data, options_.head_size, to.data());
  };
  for (Part& part : parts_) {
    take(part.weight, part.gamma);
    take(part.bias, part.beta);
  }
}

State QueryKeyNorm::plan(Arena& arena, int64_t queries, int64_t keys, DType type) const {
  Saved saved;
  for (const QueryOrKey which : {QueryOrKey::query, QueryOrKey::key}) {
    const int64_t rows = which == QueryOrKey::query ? queries : keys;
    saved[index_of(which)] = {arena.take(type, rows, options_.heads * options_.head_size),
                              arena.take<float>({rows, options_.heads}), arena.take<float>({rows, options_.heads}),
                              arena.take<float>({options_.head_size}), arena.take<float>({options_.head_size})};
  }
  return saved;
}

HeadNorm QueryKeyNorm::norm_of(const Part& part) const {
  return {.kind = options_.kind,
          .head_size = options_.head_size,
          .gamma = part.gamma.data(),
          .beta = part.bias >= 0 ? part.beta.data() : nullptr,
          .eps = options_.eps};
}

void QueryKeyNorm::forward(Matrix x, QueryOrKey which, const RowTokens&) const {
  const ProfileScope profile("q/k norm");
  head_norm_forward(x, norm_of(parts_[index_of(which)]), x, {});
}

void QueryKeyNorm::forward_train(Matrix x, QueryOrKey which, const RowTokens&, const State& state) const {
  const ProfileScope profile("q/k norm");
  const SavedPart& saved = state_of<Saved>(state)[index_of(which)];
  const Matrix before = saved.before.slice(0, x.rows());
  convert(x, before);
  head_norm_forward(before, norm_of(parts_[index_of(which)]), x, {saved.mean.data(), saved.rstd.data()});
}

void QueryKeyNorm::backward(Matrix dx, ConstMatrix, QueryOrKey which, const RowTokens&, const State& state) const {
  const ProfileScope profile("q/k norm backward");
  const Part& part = parts_[index_of(which)];
  const SavedPart& saved = state_of<Saved>(state)[index_of(which)];
  std::fill_n(saved.dgamma.data(), options_.head_size, 0.0f);
  std::fill_n(saved.dbeta.data(), options_.head_size, 0.0f);
  head_norm_backward(dx, saved.before.slice(0, dx.rows()), norm_of(part), {saved.mean.data(), saved.rstd.data()}, dx,
                     saved.dgamma.data(), part.bias >= 0 ? saved.dbeta.data() : nullptr);
}

void QueryKeyNorm::add_gradients(const State& state, const Shard& shard, const Gradients& gradients) const {
  gradients.in_turn(section_, shard, [&] {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const SavedPart& saved = state_of<Saved>(state)[i];
      add_to(saved.dgamma.data(), options_.head_size, gradients.at(parts_[i].weight));
      if (parts_[i].bias >= 0) add_to(saved.dbeta.data(), options_.head_size, gradients.at(parts_[i].bias));
    }
  });
}

}  // namespace vit
