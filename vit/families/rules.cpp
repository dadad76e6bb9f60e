#include <algorithm>
#include <cctype>
#include <cmath>

#include "vit/core/error.h"
#include "vit/families/family.h"
#include "vit/model/model_file.h"

namespace vit {
namespace {

/// A name with the number of its block taken out: "blocks.3.norm1.weight" is "blocks.{}.norm1.weight" of 3.
struct Pattern {
  std::string text;
  int64_t block = 0;
};

Pattern pattern_of(const std::string& name) {
  const std::string_view blocks = "blocks.";
  if (!name.starts_with(blocks)) return {name};
  const std::size_t end = name.find('.', blocks.size());
  return {concat(blocks, "{}", name.substr(end)), std::stoll(name.substr(blocks.size(), end - blocks.size()))};
}

/// Their shape of a piece that our rows `shape` are, by the order of the axes.
std::vector<int64_t> permuted_back(const std::vector<int64_t>& shape, const std::vector<int>& axes) {
  if (axes.empty()) return shape;
  std::vector<int64_t> theirs(shape.size());
  for (std::size_t k = 0; k < axes.size(); ++k) theirs[static_cast<std::size_t>(axes[k])] = shape[k];
  return theirs;
}

Rule rule_of(const Parameter& p, const NameRow& row, int64_t block) {
  std::vector<int64_t> shape = p.shape;
  shape[0] /= static_cast<int64_t>(row.theirs.size());
  Rule rule{.ours = p.name, .pieces = {}};
  for (std::string_view name : row.theirs)
    rule.pieces.push_back({.name = name == kIdle || name == kZeros ? "" : with_block(name, block),
                           .shape = permuted_back(shape, row.axes),
                           .axes = row.axes,
                           .idle = name == kIdle});
  return rule;
}

/// Whether the name is the pattern, in which "*" stands for any text.
bool fits(std::string_view name, std::string_view pattern) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return name == pattern;
  if (!name.starts_with(pattern.substr(0, star))) return false;
  const std::string_view rest = pattern.substr(star + 1);
  for (std::size_t at = star; at <= name.size(); ++at)
    if (fits(name.substr(at), rest)) return true;
  return false;
}

}  // namespace

std::string with_block(std::string_view pattern, int64_t block) {
  std::string name(pattern);
  if (const std::size_t at = name.find("{}"); at != std::string::npos) name.replace(at, 2, std::to_string(block));
  return name;
}

std::vector<Rule> rules_by_names(std::string_view family, const ModelConfig& config, std::span<const NameRow> rows,
                                 bool same_names) {
  std::vector<Rule> rules;
  std::string strangers;
  const ParameterLayout layout = parameter_layout(config);
  for (const Parameter& p : layout.all()) {
    const auto [pattern, block] = pattern_of(p.name);
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const NameRow& r) { return r.ours == pattern; });
    if (row != rows.end())
      rules.push_back(rule_of(p, *row, block));
    else if (same_names)
      rules.push_back({.ours = p.name, .pieces = {{.name = p.name, .shape = p.shape}}});
    else if (strangers.find(pattern) == std::string::npos)
      strangers += concat(strangers.empty() ? "" : ", ", pattern);
  }
  if (!strangers.empty())
    fail(ErrorKind::usage, "[", family, "] has no place for ", strangers, " of the model ", config.name);
  return rules;
}

Rule* find_rule(std::vector<Rule>& rules, std::string_view ours) {
  for (Rule& rule : rules)
    if (rule.ours == ours) return &rule;
  return nullptr;
}

void drop(const Checkpoint& checkpoint, std::string_view pattern, std::string_view why, Recognised& found) {
  for (const TensorEntry& entry : checkpoint.tensors.entries())
    if (fits(entry.name, pattern)) found.dropped.push_back({entry.name, std::string(why)});
}

int64_t grid_side(int64_t tokens, std::string_view name) {
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(std::max<int64_t>(tokens, 0)))));
  if (side < 1 || side * side != tokens)
    fail(ErrorKind::data, "[import] ", name, " has rows for ", tokens,
         " patches, which is no square; only square pictures are known");
  return side;
}

void set_image_size(const ImportOptions& options, int64_t side, const GridFilter& filter, Recognised& found) {
  ModelConfig& config = found.config;
  const int64_t theirs = side * config.patch_size;
  const int64_t whole_patches = options.picture_size / config.patch_size * config.patch_size;
  config.image_size = options.image_size > 0 ? options.image_size : whole_patches > 0 ? whole_patches : theirs;
  if (config.image_size % config.patch_size != 0)
    fail(ErrorKind::usage, "[import] --image-size needs a multiple of the patch size ", config.patch_size, ", has ",
         config.image_size);
  if (config.image_size == theirs) return;
  Rule* positions = find_rule(found.rules, "pos_embed");
  if (positions == nullptr) return;
  int64_t rows = 0;
  for (const Piece& piece : positions->pieces)
    if (!piece.add) rows += piece.elements() / config.width;
  positions->grid = GridResize{.prefix = rows - side * side, .rows = side, .cols = side, .filter = filter};
}

}  // namespace vit
