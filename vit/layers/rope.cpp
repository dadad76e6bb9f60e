#include "vit/layers/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace vit {
namespace {

/// Magnitudes that fall with the pair, along a direction that each head draws and the one across it.
void draw_mixed(RandomStream& random, int64_t blocks, const Rope::Options& o, float* values) {
  const int64_t half = o.head_size / 4, plane = blocks * o.heads * 2 * half;
  for (int64_t head = 0; head < blocks * o.heads; ++head) {
    const double angle = static_cast<double>(random.uniform()) * 2 * std::numbers::pi;
    for (int64_t k = 0; k < 2 * half; ++k) {
      const double turned = angle + (k < half ? 0 : std::numbers::pi / 2);
      const double magnitude =
          std::pow(static_cast<double>(o.theta), -static_cast<double>(k % half) / static_cast<double>(half));
      values[head * 2 * half + k] = static_cast<float>(magnitude * std::cos(turned));
      values[plane + head * 2 * half + k] = static_cast<float>(magnitude * std::sin(turned));
    }
  }
}

/// Angle of pair k, of `pairs`, at place `index` of `size` along one axis.
double fixed_angle(const Rope::Options& o, int64_t k, int64_t pairs, int64_t index, int64_t size) {
  const int64_t half = pairs / 2;
  const double place = static_cast<double>(index), side = static_cast<double>(size);
  const double frequency =
      std::pow(static_cast<double>(o.theta), -static_cast<double>(k % half) / static_cast<double>(half));
  if (o.layout == RopeLayout::dinov3) return 2 * std::numbers::pi * (2 * (place + 0.5) / side - 1) * frequency;
  const double counted = place + static_cast<double>(o.offset);
  return (o.reference > 0 ? counted / side * static_cast<double>(o.reference) : counted) * frequency;
}

template <class T>
float value(const T& x) {
  if constexpr (std::is_same_v<T, float>)
    return x;
  else
    return to_float(x);
}

/// sums[pair] += the gradients of the angle times `along` of each row: a rotated pair (a, b) moves by (-b, a).
template <class T>
void add_angle_gradients(TensorView<const T> dx, TensorView<const T> x, int64_t row, float column_place,
                         float row_place, float* of_column, float* of_row) {
  for (int64_t k = 0; k < x.cols() / 2; ++k) {
    const float angle =
        value(dx(row, 2 * k + 1)) * value(x(row, 2 * k)) - value(dx(row, 2 * k)) * value(x(row, 2 * k + 1));
    of_column[k] += column_place * angle;
    of_row[k] += row_place * angle;
  }
}

}  // namespace

Rope::Rope(Registry& registry, const Options& options, const MixerPlace& place) : options_(options), place_(place) {
  const int64_t count = place.tokens.count() * pairs();
  tables_.resize(learned() ? static_cast<std::size_t>(options.heads) : 1);
  for (Table& table : tables_) table = {AlignedBuffer<float>(count), AlignedBuffer<float>(count)};
  if (!learned()) {
    fill(tables_.front(), nullptr, nullptr);
    return;
  }
  frequencies_ = registry.shared_parameter(
      "rope.freqs", {2, place.depth, options.heads, pairs()},
      {.draw = Draw::custom([o = options, blocks = place.depth](RandomStream& random, float* values) {
         draw_mixed(random, blocks, o, values);
       })});
  section_ = registry.section();
}

void Rope::fill(Table& table, const float* of_column, const float* of_row) const {
  const Tokens& t = place_.tokens;
  for (int64_t token = 0; token < t.count(); ++token) {
    const int64_t cell = token - t.prefix, row = cell / std::max<int64_t>(t.cols, 1), column = cell - row * t.cols;
    for (int64_t k = 0; k < pairs(); ++k) {
      double angle = 0;
      if (cell >= 0 && learned()) {
        angle = static_cast<double>(of_column[k]) * static_cast<double>(column) +
                static_cast<double>(of_row[k]) * static_cast<double>(row);
      } else if (cell >= 0) {
        const bool by_column = (k >= pairs() / 2) != (options_.order == RopeOrder::column_first);
        angle = by_column ? fixed_angle(options_, k, pairs(), column, t.cols)
                          : fixed_angle(options_, k, pairs(), row, t.rows);
      }
      table.cosine.data()[token * pairs() + k] = static_cast<float>(std::cos(angle));
      table.sine.data()[token * pairs() + k] = static_cast<float>(std::sin(angle));
    }
  }
}

void Rope::pack(const Packing& packing) {
  if (!learned()) return;
  const ParameterValues values = packing.values(frequencies_);
  const int64_t plane = place_.depth * options_.heads * pairs();
  for (int64_t h = 0; h < options_.heads; ++h) {
    const float* of_column = values.data + (place_.block * options_.heads + h) * pairs();
    fill(tables_[static_cast<std::size_t>(h)], of_column, of_column + plane);
  }
}

Rope::Angles Rope::angles(int64_t head) const {
  const Table& table = tables_[learned() ? static_cast<std::size_t>(head) : 0];
  const auto view = [&](const AlignedBuffer<float>& values) {
    return TensorView<const float>(values.data(), {place_.tokens.count(), pairs()});
  };
  return {view(table.cosine), view(table.sine)};
}

State Rope::plan(Arena& arena, int64_t, int64_t, DType) const {
  return Saved{learned() ? arena.take<float>({2, 2, options_.heads, pairs()}) : TensorView<float>()};
}

void Rope::rotate(Matrix x, const RowTokens& tokens, bool inverse) const {
  const int64_t width = learned() ? options_.head_size : x.cols();
  for (int64_t row = 0; row < x.rows();) {
    // Rows of tokens in a row have their angles in a row.
    const int64_t token = tokens[row];
    const int64_t count = tokens.step == 1 ? std::min(x.rows() - row, tokens.count - token) : 1;
    for (std::size_t t = 0; t < tables_.size(); ++t) {
      const auto angles = [&](const AlignedBuffer<float>& table) {
        return TensorView<const float>(table.data() + token * pairs(), {count, pairs()});
      };
      rotate_rows(x.slice(row, count).columns(static_cast<int64_t>(t) * width, width),
                  {.pairs = pairing(),
                   .cosine = angles(tables_[t].cosine),
                   .sine = angles(tables_[t].sine),
                   .inverse = inverse});
    }
    row += count;
  }
}

void Rope::forward(Matrix x, QueryOrKey, const RowTokens& tokens) const {
  const ProfileScope profile("rope");
  rotate(x, tokens, false);
}

void Rope::forward_train(Matrix x, QueryOrKey which, const RowTokens& tokens, const State&) const {
  forward(x, which, tokens);
}

void Rope::add_frequency_gradients(ConstMatrix dx, ConstMatrix x, const RowTokens& tokens,
                                   TensorView<float> sums) const {
  const Tokens& t = place_.tokens;
  std::fill_n(sums.data(), sums.size(), 0.0f);
  for (int64_t row = 0; row < x.rows(); ++row) {
    const int64_t cell = tokens[row] - t.prefix;
    if (cell < 0) continue;
    const auto down = static_cast<float>(cell / t.cols), across = static_cast<float>(cell % t.cols);
    for (int64_t h = 0; h < options_.heads; ++h) {
      const ConstMatrix d = dx.columns(h * options_.head_size, options_.head_size);
      const ConstMatrix own = x.columns(h * options_.head_size, options_.head_size);
      float *of_column = sums[0][h].data(), *of_row = sums[1][h].data();
      if (x.type() == DType::bf16)
        add_angle_gradients(d.view<const BFloat16>(), own.view<const BFloat16>(), row, across, down, of_column, of_row);
      else
        add_angle_gradients(d.view<const float>(), own.view<const float>(), row, across, down, of_column, of_row);
    }
  }
}

void Rope::backward(Matrix dx, ConstMatrix x, QueryOrKey which, const RowTokens& tokens, const State& state) const {
  const ProfileScope profile("rope backward");
  if (learned())
    add_frequency_gradients(dx, x, tokens, state_of<Saved>(state).dfrequencies[static_cast<int64_t>(which)]);
  rotate(dx, tokens, true);
}

void Rope::add_gradients(const State& state, const Shard& shard, const Gradients& gradients) const {
  if (!learned()) return;
  const TensorView<float> sums = state_of<Saved>(state).dfrequencies;
  const int64_t own = options_.heads * pairs();
  gradients.in_turn(section_, shard, [&] {
    float* of_column = gradients.at(frequencies_) + place_.block * own;
    for (const int64_t which : {0, 1}) {
      add_to(sums[which][0].data(), own, of_column);
      add_to(sums[which][1].data(), own, of_column + place_.depth * own);
    }
  });
}

}  // namespace vit
