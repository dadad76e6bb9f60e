#include "vit/layers/attention.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace vit {

namespace {

template <class Make, class... Where>
auto made(const std::vector<Make>& makers, Registry& registry, const Where&... where) {
  std::vector<decltype(makers.front()(registry, where...))> parts;
  for (const Make& make : makers) parts.push_back(make(registry, where...));
  return parts;
}

}  // namespace

Attention::Attention(Registry& registry, const std::string& name, const Options& options, const MixerPlace& place)
    : options_(options),
      place_(place),
      head_size_(options.width / options.heads),
      qkv_(registry, name + ".qkv", options.width, 3 * options.width, {.bias = options.qkv_bias, .product = true}),
      maps_(made(options.maps, registry, name, place)),
      bias_(options.bias ? options.bias(registry, name, place) : nullptr),
      norm_(options.norm ? options.norm(registry, name + ".norm", options.width) : nullptr),
      proj_(registry, name + ".proj", options.width, options.width, {.product = true}) {
  // The heads' outputs are weighted means of the values.
  registry.channels({norm_ ? norm_->outputs() : qkv_.outputs_from(2 * options.width), proj_.weight()});
  if (!place.class_row) return;
  query_.emplace(registry, qkv_, 0, options.width);
  key_value_.emplace(registry, qkv_, options.width, 2 * options.width);
}

void Attention::pack(const Packing& packing, const float* output_scale) {
  if (place_.class_row) {
    query_->pack(packing);
    key_value_->pack(packing);
  } else {
    qkv_.pack(packing);
  }
  for (const auto& map : maps_) map->pack(packing);
  if (bias_) bias_->pack(packing);
  proj_.pack(packing, output_scale);
  if (norm_) norm_->pack(packing, 1 / proj_.input_scale());
}

Matrix Attention::plan_projected(Arena& arena, int64_t rows) const {
  return arena.take(between_products(input().type()), rows, 3 * options_.width);
}

State Attention::plan(Arena& arena, const Shard& in, const Shard& out) const {
  Saved saved{plan_projected(arena, in.rows()),
              arena.take(proj_.type(), out.rows(), options_.width),
              arena.take<float>({out.images * options_.heads, out.own()}),
              {},
              {},
              {}};
  saved.normed = norm_ ? arena.take(proj_.type(), out.rows(), options_.width) : saved.heads;
  if (norm_) saved.norm = norm_->plan(arena, out.rows());
  for (const auto& map : maps_) saved.maps.push_back(map->plan(arena, out.rows(), in.rows(), saved.qkv.type()));
  return saved;
}

State Attention::plan_scratch(Arena& arena, const Shard& in, const Shard& out, bool training) const {
  const DType type = between_products(input().type());
  Scratch scratch;
  if (place_.class_row) scratch.asking = arena.take(type, in.images, options_.width);
  scratch.heads = arena.take(type, out.rows(), options_.width);
  const bool in_place = !norm_ || proj_.type() != DType::i8;
  scratch.normed = in_place ? scratch.heads : arena.take(DType::i8, out.rows(), options_.width);
  scratch.kernel = arena.take<float>({attention_scratch(out.own(), in.tokens.count(), head_size_, type)});
  if (!training) return scratch;
  scratch.dqkv = plan_projected(arena, in.rows());
  scratch.dy = arena.take(type, out.rows(), options_.width);
  if (place_.class_row) scratch.dasking = arena.take<float>({in.images, options_.width});
  if (bias_) scratch.dbias = arena.take<float>({options_.heads, out.own(), in.tokens.count()});
  return scratch;
}

AttentionOptions Attention::head_options(const Shard& shard, int64_t image, int64_t head) const {
  AttentionOptions options;
  options.scale = 1 / std::sqrt(static_cast<float>(head_size_));
  options.valid_tokens = shard.valid(image);
  options.first_query = shard.first_token;
  if (!norm_) options.out_scale = 1 / proj_.input_scale();
  if (bias_) options.bias = bias_->of_head(head).slice(shard.first_token, shard.own());
  const float rate = shard.regularization.attention_dropout;
  // A head is told apart by the image key: heads of one image must not share a mask.
  if (rate > 0) {
    options.dropout = image_mask(shard, image, rate, place_.dropout_site);
    options.dropout.stream += static_cast<uint64_t>(head);
  }
  return options;
}

template <class Body>
void Attention::for_each_head(const Shard& shard, Body body) const {
  for (int64_t b = 0; b < shard.images; ++b)
    for (int64_t h = 0; h < options_.heads; ++h) body(b, h);
}

/// The matrices used(b, h) of the head after this one.
template <class Used>
LookAhead Attention::look_ahead(const Shard& shard, int64_t b, int64_t h, Used used) const {
  LookAhead ahead;
  const int64_t next = b * options_.heads + h + 1;
  if (next < shard.images * options_.heads)
    for (const ConstMatrix& m : used(next / options_.heads, next % options_.heads)) ahead.add(m);
  return ahead;
}

// ---- where things lie in a qkv ----

template <class M>
M Attention::key_values(M qkv) const {
  return {qkv.data(), qkv.type(), qkv.rows(), 2 * options_.width, 2 * options_.width};
}

/// Of the class tokens: as many rows as there is room for behind the keys and values.
template <class M>
M Attention::queries(M qkv) const {
  const M behind = M(qkv.data(), qkv.type(), 3 * qkv.rows(), options_.width, options_.width);
  return behind.slice(2 * qkv.rows(), qkv.rows());
}

template <class M>
M Attention::head(M qkv, int64_t row, int64_t count, int64_t third, int64_t h) const {
  const int64_t width = options_.width;
  if (!place_.class_row) return qkv.slice(row, count).columns(third * width + h * head_size_, head_size_);
  const M part = third == 0 ? queries(qkv) : key_values(qkv).columns((third - 1) * width, width);
  return part.slice(row, count).columns(h * head_size_, head_size_);
}

/// body(rows [m, D], which, their tokens) for the queries and for the keys of rows [first, first + count).
template <class Body>
void Attention::for_queries_and_keys(Matrix qkv, int64_t first, int64_t count, const Shard& in, Body body) const {
  const int64_t width = options_.width, tokens = in.tokens.count();
  const RowTokens all{.first = first % tokens, .step = 1, .count = tokens};
  if (!place_.class_row) {
    const Matrix rows = qkv.slice(first, count);
    body(rows.columns(0, width), QueryOrKey::query, all);
    body(rows.columns(width, width), QueryOrKey::key, all);
    return;
  }
  body(key_values(qkv).slice(first, count).columns(0, width), QueryOrKey::key, all);
  if (in.first_token > 0) return;
  body(queries(qkv).slice(first / in.own(), (count + in.own() - 1) / in.own()), QueryOrKey::query,
       RowTokens{.first = 0, .step = 0, .count = tokens});
}

/// `saved_maps`: what backward of the maps needs, in training.
void Attention::project_rows(ConstMatrix x, int64_t first, const Shard& in, Matrix qkv, const Scratch& scratch,
                             const std::vector<State>* saved_maps) const {
  if (!place_.class_row) {
    qkv_.forward(x, qkv.slice(first, x.rows()));
  } else {
    key_value_->forward(x, key_values(qkv).slice(first, x.rows()));
    if (in.first_token == 0) {
      const ConstMatrix asking = x.every(in.own());
      const Matrix dense = scratch.asking.slice(0, asking.rows()).as(x.type());
      convert(asking, dense);
      query_->forward(dense, queries(qkv).slice(first / in.own(), asking.rows()));
    }
  }
  if (maps_.empty()) return;
  for_queries_and_keys(qkv, first, x.rows(), in, [&](Matrix rows, QueryOrKey which, const RowTokens& tokens) {
    for (std::size_t i = 0; i < maps_.size(); ++i) {
      if (saved_maps != nullptr)
        maps_[i]->forward_train(rows, which, tokens, (*saved_maps)[i]);
      else
        maps_[i]->forward(rows, which, tokens);
    }
  });
}

void Attention::project(ConstMatrix x, int64_t first, const Shard& in, Matrix qkv, const State& scratch) const {
  project_rows(x, first, in, qkv, state_of<Scratch>(scratch), nullptr);
}

/// Of heads that are all there.
void Attention::norm_rows(const Attended& to, int64_t first, int64_t count) const {
  const Matrix heads = to.heads.slice(first, count), normed = to.normed.slice(first, count);
  if (to.norm != nullptr)
    norm_->forward_train(heads, normed, to.norm->slice(first, count));
  else
    norm_->forward(heads, normed);
}

void Attention::attend_heads(ConstMatrix qkv, const Shard& out, const Attended& to, float* kernel_scratch) const {
  const ProfileScope profile("attention", attention_flops(out));
  const int64_t own = out.own();
  const auto read = [&](int64_t b, int64_t h) -> std::array<ConstMatrix, 3> {
    const int64_t tokens = out.tokens.count(), image = b * tokens;
    const int64_t query = place_.class_row ? b : image + out.first_token;
    return {head(qkv, query, own, 0, h), head(qkv, image, tokens, 1, h), head(qkv, image, tokens, 2, h)};
  };
  for_each_head(out, [&](int64_t b, int64_t h) {
    const auto [q, k, v] = read(b, h);
    LookAhead ahead = look_ahead(out, b, h, read);
    AttentionOptions options = head_options(out, b, h);
    options.ahead = &ahead;
    float* lse = to.log_sum_exp == nullptr ? nullptr : to.log_sum_exp + (b * options_.heads + h) * own;
    attention_forward(q, k, v, options, to.heads.slice(b * own, own).columns(h * head_size_, head_size_), lse,
                      kernel_scratch);
    if (norm_ && h == options_.heads - 1) norm_rows(to, b * own, own);  // an image's rows are in cache
  });
}

Matrix Attention::attend(ConstMatrix qkv, const Shard& out, const State& scratch) const {
  const auto& own = state_of<Scratch>(scratch);
  const Matrix normed = own.normed.slice(0, out.rows()).as(proj_.type());
  attend_heads(qkv, out, {.heads = norm_ ? own.heads.slice(0, out.rows()) : normed, .normed = normed},
               own.kernel.data());
  return normed;
}

void Attention::recompute(ConstMatrix x, const Shard& in, const Shard& out, const State& state,
                          const State& scratch_state) const {
  const auto& saved = state_of<Saved>(state);
  const auto& scratch = state_of<Scratch>(scratch_state);
  const Matrix qkv = saved.qkv.slice(0, in.rows());
  project_rows(x, 0, in, qkv, scratch, &saved.maps);
  attend_heads(qkv, out, {saved.heads, saved.normed, saved.log_sum_exp.data(), &saved.norm}, scratch.kernel.data());
}

void Attention::forward_train(ConstMatrix x, const Shard& in, const Shard& out, const State& saved,
                              const State& scratch, TensorView<float> y) const {
  recompute(x, in, out, saved, scratch);
  proj_.forward(state_of<Saved>(saved).normed.slice(0, out.rows()), y);
  dropout_rows(out, y, out.regularization.dropout, place_.dropout_site + 1);
}

void Attention::attend_backward(const Saved& saved, ConstMatrix dheads, const Shard& in, const Shard& out,
                                const Scratch& scratch) const {
  const ProfileScope profile("attention backward", 2.5 * attention_flops(out));
  const ConstMatrix qkv = saved.qkv.slice(0, in.rows()), heads = saved.heads.slice(0, out.rows());
  const Matrix dqkv = scratch.dqkv.slice(0, in.rows());
  const int64_t own = out.own(), tokens = in.tokens.count();
  const auto part = [&](auto m, int64_t b, int64_t h, int64_t third) {
    const int64_t image = b * tokens;
    if (third > 0) return head(m, image, tokens, third, h);
    return head(m, place_.class_row ? b : image, own, 0, h);
  };
  const auto used = [&](int64_t b, int64_t h) -> std::array<ConstMatrix, 8> {
    const auto of_head = [&](ConstMatrix m) { return m.slice(b * own, own).columns(h * head_size_, head_size_); };
    return {of_head(dheads), part(qkv, b, h, 0),  part(qkv, b, h, 1),  part(qkv, b, h, 2),
            of_head(heads),  part(dqkv, b, h, 0), part(dqkv, b, h, 1), part(dqkv, b, h, 2)};
  };
  if (bias_) std::fill_n(scratch.dbias.data(), scratch.dbias.size(), 0.0f);
  for_each_head(out, [&](int64_t b, int64_t h) {
    const auto& [dout, q, k, v, of_forward, dq, dk, dv] = used(b, h);
    LookAhead ahead = look_ahead(out, b, h, used);
    AttentionOptions options = head_options(out, b, h);
    options.ahead = &ahead;
    AttentionGradients gradients{part(dqkv, b, h, 0), part(dqkv, b, h, 1), part(dqkv, b, h, 2)};
    if (bias_) gradients.dbias = scratch.dbias[h];
    attention_backward(dout, q, k, v, of_forward, saved.log_sum_exp.data() + (b * options_.heads + h) * own, options,
                       gradients, scratch.kernel.data());
  });
}

void Attention::maps_backward(const Saved& saved, Matrix dqkv, const Shard& in, const Gradients& gradients) const {
  if (maps_.empty()) return;
  const int64_t rows = in.rows();
  std::array<Matrix, 2> mapped;
  for_queries_and_keys(saved.qkv.slice(0, rows), 0, rows, in, [&](Matrix x, QueryOrKey which, const RowTokens&) {
    mapped[static_cast<std::size_t>(which)] = x;
  });
  for_queries_and_keys(dqkv, 0, rows, in, [&](Matrix dx, QueryOrKey which, const RowTokens& tokens) {
    for (std::size_t i = maps_.size(); i-- > 0;)
      maps_[i]->backward(dx, mapped[static_cast<std::size_t>(which)], which, tokens, saved.maps[i]);
  });
  for (std::size_t i = 0; i < maps_.size(); ++i) maps_[i]->add_gradients(saved.maps[i], in, gradients);
}

void Attention::backward(TensorView<float> dy, ConstMatrix x, const State& state, const Shard& in, const Shard& out,
                         const Gradients& gradients, const State& scratch_state, TensorView<float> dx) const {
  const auto& saved = state_of<Saved>(state);
  const auto& scratch = state_of<Scratch>(scratch_state);
  const Matrix dqkv = scratch.dqkv.slice(0, in.rows());
  const Matrix dheads = scratch.heads.slice(0, out.rows());
  dropout_rows(out, dy, out.regularization.dropout, place_.dropout_site + 1);
  proj_.backward(for_product(dy, scratch.dy), saved.normed.slice(0, out.rows()), out, gradients, dheads);
  if (norm_) norm_->backward(dheads, saved.heads.slice(0, out.rows()), saved.norm, out, gradients, {}, dheads);
  attend_backward(saved, dheads, in, out, scratch);
  if (bias_) bias_->backward(scratch.dbias, out, gradients);
  maps_backward(saved, dqkv, in, gradients);
  if (!place_.class_row) return qkv_.backward(dqkv, x, in, gradients, dx);
  key_value_->backward(key_values(dqkv), x, in, gradients, dx);
  const int64_t tokens = in.tokens.count();
  const Matrix asking = scratch.asking.slice(0, in.images);
  const TensorView<float> dasking = scratch.dasking.slice(0, in.images);
  convert(x.every(tokens), asking);
  query_->backward(queries(dqkv).slice(0, in.images), asking, in, gradients, dasking);
  for (int64_t b = 0; b < in.images; ++b) add_to(dasking[b].data(), options_.width, dx[b * tokens].data());
}

void Attention::maps(const Shard& shard, ConstMatrix qkv, TensorView<float> maps) const {
  if (place_.class_row) fail(ErrorKind::internal, "[attention] maps need the queries of all tokens");
  const int64_t tokens = shard.tokens.count();
  for_each_head(shard, [&](int64_t b, int64_t h) {
    attention_map(head(qkv, b * tokens, tokens, 0, h), head(qkv, b * tokens, tokens, 1, h), head_options(shard, b, h),
                  TensorView<float>(maps[b][h].data(), {tokens, tokens}));
  });
}

MixerFlops Attention::flops(const Shard& in, const Shard& out) const {
  if (!place_.class_row) return {qkv_.flops(in.rows()), attention_flops(out), proj_.flops(out.rows())};
  return {key_value_->flops(in.rows()) + query_->flops(out.rows()), attention_flops(out), proj_.flops(out.rows())};
}

}  // namespace vit
