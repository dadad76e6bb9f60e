#include "vit/families/gather.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <numeric>

#include "vit/core/error.h"
#include "vit/kernels/elementwise.h"

namespace vit {
namespace {

int64_t product(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

/// Shape of the piece's rows as `axes` count them.
std::vector<int64_t> view_of(const Piece& piece) {
  if (!piece.view.empty()) return piece.view;
  std::vector<int64_t> view = piece.shape;
  if (piece.rows > 0) view[piece.along] = piece.rows;
  return view;
}

class Gatherer {
 public:
  Gatherer(std::shared_ptr<const TensorFile> file, const Model& model, std::vector<Rule> rules)
      : file_(std::move(file)), layout_(model.layout), tokens_(model.config.tokens()), rules_(std::move(rules)) {
    for (const Parameter& p : layout_.all()) rule_of_.push_back(find_rule(rules_, p.name));
    if (std::ranges::count(rule_of_, nullptr) > 0) fresh_ = fresh_parameters(model.config, 0);
    for (const Rule& rule : rules_)
      for (const Piece& piece : rule.pieces) ++uses_[piece.name];
  }

  ParameterValues values(int parameter) {
    const Rule* rule = rule_of_[static_cast<std::size_t>(parameter)];
    if (rule == nullptr) return fresh_(parameter);
    const Parameter& p = layout_[parameter];
    AlignedBuffer<float> values = put_together(*rule);
    if (rule->grid) values = resized(*rule, p, values);
    if (values.size() != p.count)
      fail(ErrorKind::internal, "[import] the rule of ", p.name, " gives ", values.size(), " values of ", p.count);
    check_finite(*rule, values.span());
    ParameterValues result{nullptr, std::move(values)};
    result.data = result.owned.data();
    return result;
  }

 private:
  AlignedBuffer<float> put_together(const Rule& rule) {
    int64_t count = 0;
    for (const Piece& piece : rule.pieces)
      if (!piece.add) count += piece.elements();
    auto out = AlignedBuffer<float>::for_overwrite(count);
    int64_t place = 0, last = 0;
    for (const Piece& piece : rule.pieces) {
      if (piece.add) {
        AlignedBuffer<float> more = AlignedBuffer<float>::for_overwrite(piece.elements());
        read(piece, more.data());
        add_to(more.data(), more.size(), out.data() + last);
        continue;
      }
      read(piece, out.data() + place);
      last = place;
      place += piece.elements();
    }
    return out;
  }

  void read(const Piece& piece, float* out) {
    const int64_t count = piece.elements();
    if (piece.name.empty()) {
      std::fill_n(out, count, 0.0f);
    } else if (piece.rows == 0 && piece.axes.empty()) {
      read_whole(piece, out);
    } else if (piece.rows == 0) {
      AlignedBuffer<float> theirs = AlignedBuffer<float>::for_overwrite(count);
      read_whole(piece, theirs.data());
      permute(piece, false, theirs.data(), out);
    } else {
      const std::shared_ptr<AlignedBuffer<float>> whole = shared_whole(piece);
      permute(piece, false, whole->data() + piece.first * piece.row_elements(), out);
    }
  }

  void read_whole(const Piece& piece, float* out) const {
    const TensorEntry* entry = find_tensor(*file_, piece.name);
    file_->read(*entry, {out, static_cast<std::size_t>(entry->count)});
  }

  /// A tensor of which several pieces are taken is read once and stays until the last of them has it.
  std::shared_ptr<AlignedBuffer<float>> shared_whole(const Piece& piece) {
    const std::lock_guard lock(mutex_);
    Whole& whole = wholes_[piece.name];
    if (whole.values == nullptr) {
      whole.values = std::make_shared<AlignedBuffer<float>>(AlignedBuffer<float>::for_overwrite(product(piece.shape)));
      whole.left = uses_[piece.name];
      read_whole(piece, whole.values->data());
    }
    const std::shared_ptr<AlignedBuffer<float>> values = whole.values;
    if (--whole.left <= 0) wholes_.erase(piece.name);
    return values;
  }

  AlignedBuffer<float> resized(const Rule& rule, const Parameter& p, const AlignedBuffer<float>& table) const {
    auto out = AlignedBuffer<float>::for_overwrite(p.count);
    resize_grid(*rule.grid, p.shape.back(), table.span(), tokens_.rows, tokens_.cols, out.span());
    return out;
  }

  void check_finite(const Rule& rule, std::span<const float> values) const {
    bool finite = true;
    for (float value : values) finite &= std::isfinite(value);
    if (finite) return;
    std::string names;
    for (const Piece& piece : rule.pieces)
      if (!piece.name.empty()) names += concat(names.empty() ? "" : ", ", piece.name);
    fail(ErrorKind::data, "[import] ", names, " in ", file_->path().string(), " holds a value that is not finite");
  }

  struct Whole {
    std::shared_ptr<AlignedBuffer<float>> values;
    int64_t left = 0;  // pieces that have not read it
  };

  std::shared_ptr<const TensorFile> file_;
  ParameterLayout layout_;
  Tokens tokens_;
  std::vector<Rule> rules_;
  std::vector<const Rule*> rule_of_;  // of each parameter; null where it is fresh
  ParameterSource fresh_;
  std::map<std::string, int64_t> uses_;
  std::mutex mutex_;
  std::map<std::string, Whole> wholes_;
};

}  // namespace

bool is_flat(const Piece& piece, const TensorEntry& entry) {
  return piece.shape.size() > 2 && entry.shape.size() == 2 && entry.shape[0] == piece.shape[0] &&
         entry.count == product(piece.shape);
}

void permute(const Piece& piece, bool back, const float* from, float* to) {
  const std::vector<int64_t> view = view_of(piece);
  if (piece.axes.empty()) {
    std::copy_n(from, product(view), to);
    return;
  }
  // Walks our order; `steps` are those of our axes in theirs.
  const std::size_t n = view.size();
  std::vector<int64_t> theirs(n, 1), sizes(n), steps(n), index(n, 0);
  for (std::size_t k = n - 1; k > 0; --k) theirs[k - 1] = theirs[k] * view[k];
  for (std::size_t k = 0; k < n; ++k) {
    sizes[k] = view[static_cast<std::size_t>(piece.axes[k])];
    steps[k] = theirs[static_cast<std::size_t>(piece.axes[k])];
  }
  const int64_t count = product(view), inner = sizes[n - 1], step = steps[n - 1];
  int64_t place = 0;
  for (int64_t done = 0; done < count; done += inner) {
    for (int64_t i = 0; i < inner; ++i) {
      if (back)
        to[place + i * step] = from[done + i];
      else
        to[done + i] = from[place + i * step];
    }
    for (std::size_t k = n - 1; k-- > 0;) {
      place += steps[k];
      if (++index[k] < sizes[k]) break;
      place -= steps[k] * sizes[k];
      index[k] = 0;
    }
  }
}

ParameterSource gathered(std::shared_ptr<const TensorFile> file, const Model& model, std::vector<Rule> rules) {
  const auto gatherer = std::make_shared<Gatherer>(std::move(file), model, std::move(rules));
  return [gatherer](int parameter) { return gatherer->values(parameter); };
}

}  // namespace vit
