#include <algorithm>
#include <map>
#include <numeric>

#include "vit/core/error.h"
#include "vit/families/gather.h"
#include "vit/families/import_weights.h"

namespace vit {
namespace {

/// A model seen through rules: each of their tensors is put together from our parameters when it is read.
class ExportedTensors final : public TensorFile {
 public:
  ExportedTensors(std::vector<Rule> rules, const Model& model, ParameterSource weights)
      : path_(model.config.name), layout_(model.layout), weights_(std::move(weights)), rules_(std::move(rules)) {
    for (const Rule& rule : rules_) add(rule);
    for (const auto& [name, parts] : parts_) entries_.push_back(entry_of(name, *parts.front().piece));
  }

  const std::filesystem::path& path() const override { return path_; }
  const std::vector<TensorEntry>& entries() const override { return entries_; }
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }

  void read(const TensorEntry& entry, std::span<float> values) const override {
    std::ranges::fill(values, 0.0f);  // where no piece lies: rows that are added to others, biases of keys
    for (const Part& part : parts_.at(entry.name)) {
      if (part.piece->add) continue;
      const ParameterValues ours = weights_(part.parameter);
      permute(*part.piece, true, ours.data + part.offset,
              values.data() + part.piece->first * part.piece->row_elements());
    }
  }

 private:
  struct Part {
    const Piece* piece;
    int parameter;
    int64_t offset;  // in our parameter
  };

  void add(const Rule& rule) {
    const Parameter* p = layout_.find(rule.ours);
    if (p == nullptr) fail(ErrorKind::internal, "[export] the model has no ", rule.ours);
    const auto parameter = static_cast<int>(p - layout_.all().data());
    int64_t offset = 0;
    for (const Piece& piece : rule.pieces) {
      if (piece.name.empty())
        check_zeros(piece, *p, parameter, offset);
      else
        parts_[piece.name].push_back({&piece, parameter, offset});
      if (!piece.add) offset += piece.elements();
    }
    if (offset != p->count)
      fail(ErrorKind::internal, "[export] the rule of ", p->name, " takes ", offset, " values of ", p->count);
  }

  void check_zeros(const Piece& piece, const Parameter& p, int parameter, int64_t offset) const {
    if (piece.idle) return;
    const ParameterValues ours = weights_(parameter);
    if (std::any_of(ours.data + offset, ours.data + offset + piece.elements(), [](float x) { return x != 0; }))
      fail(ErrorKind::usage, "[export] ", p.name, " has values that the names of this family have no place for");
  }

  static TensorEntry entry_of(const std::string& name, const Piece& piece) {
    TensorEntry entry{.name = name, .shape = piece.shape, .count = 1, .type = "F32"};
    for (int64_t n : piece.shape) entry.count *= n;
    return entry;
  }

  std::filesystem::path path_;
  ParameterLayout layout_;
  ParameterSource weights_;
  std::vector<Rule> rules_;
  std::map<std::string, std::vector<Part>> parts_;  // of each of their tensors
  std::vector<TensorEntry> entries_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace

std::unique_ptr<TensorFile> exported_tensors(std::vector<Rule> rules, const Model& model, ParameterSource weights) {
  return std::make_unique<ExportedTensors>(std::move(rules), model, std::move(weights));
}

std::unique_ptr<TensorFile> exported_tensors(const Family& family, const Model& model, ParameterSource weights) {
  if (family.rules == nullptr) fail(ErrorKind::usage, "[export] no names of ", family.word, " are written");
  return exported_tensors(family.rules(model.config), model, std::move(weights));
}

}  // namespace vit
