#include "vit/families/import_weights.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "vit/core/error.h"
#include "vit/families/gather.h"

namespace vit {
namespace {

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += concat(i == 0 ? "" : ", ", shape[i]);
  return text + "]";
}

std::vector<int64_t> without_ones(std::vector<int64_t> shape) {
  std::erase(shape, 1);
  return shape;
}

/// Names for one line; of many the first ones.
class NameList {
 public:
  void add(std::string text) {
    constexpr int kMost = 6;
    if (++count_ <= kMost) text_ += concat(count_ == 1 ? "" : ", ", text);
  }
  bool empty() const { return count_ == 0; }
  std::string text() const { return count_ <= 6 ? text_ : concat(text_, " and ", count_ - 6, " more"); }

 private:
  int count_ = 0;
  std::string text_;
};

/// Tensors that the rules name against those that the file has.
void check_coverage(const TensorFile& file, const Family& family, const Recognised& found) {
  std::set<std::string_view> known;
  NameList missing, wrong, unused;
  for (const Rule& rule : found.rules)
    for (const Piece& piece : rule.pieces) {
      if (piece.name.empty()) continue;
      const TensorEntry* entry = find_tensor(file, piece.name);
      if (!known.insert(piece.name).second) continue;
      if (entry == nullptr)
        missing.add(piece.name);
      else if (without_ones(entry->shape) != without_ones(piece.shape) && !is_flat(piece, *entry))
        wrong.add(concat(piece.name, " needs ", shape_text(piece.shape), ", has ", shape_text(entry->shape)));
    }
  for (const Dropped& dropped : found.dropped) known.insert(dropped.name);
  for (const TensorEntry& entry : file.entries())
    if (!known.contains(entry.name)) unused.add(entry.name);
  std::string faults;
  const auto say = [&](const char* what, const NameList& names) {
    if (!names.empty()) faults += concat(faults.empty() ? "" : "; ", what, names.text());
  };
  say("missing: ", missing);
  say("wrong shape: ", wrong);
  say("of no use: ", unused);
  if (!faults.empty())
    fail(ErrorKind::data, "[import] ", file.path().string(), " read as ", family.word, ": ", faults,
         "; is it of another family (--family), or does its config.json belong to another file?");
}

int64_t used_parameters(const TensorFile& file, const std::vector<Rule>& rules) {
  std::set<std::string_view> used;
  int64_t count = 0;
  for (const Rule& rule : rules)
    for (const Piece& piece : rule.pieces)
      if (!piece.name.empty() && used.insert(piece.name).second) count += find_tensor(file, piece.name)->count;
  return count;
}

/// Each parameter has one rule, with as many values.
void check_rules(const Family& family, const ParameterLayout& layout, const std::vector<Rule>& rules,
                 const std::vector<bool>& drawn) {
  std::set<std::string_view> ours;
  for (const Rule& rule : rules)
    if (layout.find(rule.ours) == nullptr || !ours.insert(rule.ours).second)
      fail(ErrorKind::internal, "[import] ", family.word, " has a rule too many for ", rule.ours);
  for (std::size_t i = 0; i < layout.all().size(); ++i)
    if (!drawn[i] && !ours.contains(layout.all()[i].name))
      fail(ErrorKind::internal, "[import] ", family.word, " has no rule for ", layout.all()[i].name);
}

/// Rules of what has one row a class go, and their tensors are dropped.
void drop_head(const ParameterLayout& layout, Recognised& found) {
  std::erase_if(found.rules, [&](const Rule& rule) {
    const Parameter* p = layout.find(rule.ours);
    if (p == nullptr || !p->role.task) return false;
    for (const Piece& piece : rule.pieces)
      if (!piece.name.empty()) found.dropped.push_back({piece.name, "the head is new"});
    return true;
  });
}

Recognised read(const Family& family, const Checkpoint& checkpoint, const ImportOptions& options) {
  Recognised found;
  try {
    found = family.read(checkpoint, options);
    validate(found.config);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage || options.image_size > 0) throw;
    // Sizes that no model has are the file's.
    fail(ErrorKind::data, error.what(), " (read from ", checkpoint.tensors.path().string(), " as ", family.word, ")");
  }
  if (options.new_classes) {
    drop_head(parameter_layout(found.config), found);
    found.config.classes = *options.new_classes;
  }
  return found;
}

}  // namespace

ImportedWeights import_weights(std::shared_ptr<const TensorFile> file, const nlohmann::json& config,
                               const ImportOptions& options, std::string_view family) {
  const Checkpoint checkpoint{*file, config};
  ImportedWeights imported;
  imported.family = family.empty() ? &recognise(checkpoint) : &family_of(family);
  Recognised found = read(*imported.family, checkpoint, options);
  Model& model = imported.open.model;
  model.config = found.config;
  model.layout = parameter_layout(model.config);
  std::vector<bool> drawn;
  for (const Parameter& p : model.layout.all()) drawn.push_back(options.new_classes && p.role.task);
  check_rules(*imported.family, model.layout, found.rules, drawn);
  check_coverage(*file, *imported.family, found);
  imported.parameters = used_parameters(*file, found.rules);
  imported.open.weights = gathered(std::move(file), model, std::move(found.rules));
  imported.dropped = std::move(found.dropped);
  imported.assumed = std::move(found.assumed);
  imported.notes = std::move(found.notes);
  return imported;
}

}  // namespace vit
