// Families of published models: how their files name and lay out what a model of ours is made of. A family is one .cpp
// file and one row of the table; a rule of it reads in both directions, so what can be imported can be exported.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vit/families/resize_grid.h"
#include "vit/io/tensor_file.h"
#include "vit/layers/parameter.h"
#include "vit/model/config.h"

namespace vit {

/// What is to be imported: tensors whose names are free of wrappers ("module."), and what lies beside them.
struct Checkpoint {
  const TensorFile& tensors;
  nlohmann::json config;  // config.json of the folder; null where there is none

  bool has(std::string_view name) const { return find_tensor(tensors, name) != nullptr; }
  /// Throws Error (data) where there is no such tensor, or one of another number of dimensions.
  const std::vector<int64_t>& shape(std::string_view name, std::size_t dimensions) const;
  /// The pattern's "{}" as 0, 1, 2, ...: how many of them there are in a row.
  int64_t count(std::string_view pattern) const;
};

/// A part of one of our parameters as it lies in a file of theirs.
struct Piece {
  std::string name;                // empty: their file has nothing, the values are zero
  std::vector<int64_t> shape;      // of the whole tensor in their file; dimensions of 1 need not agree on import
  int64_t first = 0;               // place in the dimension `along` where the piece begins
  int64_t rows = 0;                // its places there; 0 = all
  std::size_t along = 0;           // those before it are 1
  std::vector<int64_t> view = {};  // shape of these rows for `axes`; empty = [rows, rest...]
  std::vector<int> axes = {};      // our axis k is axis axes[k] of the view; empty = as it lies
  bool add = false;                // added to the piece before it; export writes zeros there
  bool idle = false;               // nothing depends on the values (biases of keys): export may drop them

  int64_t elements() const;
  /// Of one place in the dimension `along`.
  int64_t row_elements() const;
};

/// One of our parameters = pieces one below the other. Where `grid` is set they are a position table of other sides,
/// which import resizes; export writes the table that the model has.
struct Rule {
  std::string ours;
  std::vector<Piece> pieces;
  std::optional<GridResize> grid = {};
};

/// A tensor of theirs that the model does not need, and why not.
struct Dropped {
  std::string name;
  std::string why;
};

struct ImportOptions {
  int64_t image_size = 0;                   // positions are resized to pictures of this side; 0 = theirs
  int64_t picture_size = 0;                 // the same for the whole patches of such pictures, where image_size is 0
  std::optional<int64_t> new_classes = {};  // a new head for so many classes instead of theirs
};

/// What a family finds in a checkpoint.
struct Recognised {
  ModelConfig config;
  std::vector<Rule> rules;  // one for each of our parameters
  std::vector<Dropped> dropped = {};
  std::vector<std::string> assumed = {};  // what the files do not say: "eps 1e-6, as all of the family have"
  std::vector<std::string> notes = {};    // what a user should know: that the outputs are no classes
};

struct Family {
  std::string word;  // of --family
  std::string help;
  bool (*matches)(const Checkpoint& checkpoint) = nullptr;
  /// Throws Error (data) that names the tensor or the field of config.json. `options.new_classes` is not its concern.
  Recognised (*read)(const Checkpoint& checkpoint, const ImportOptions& options) = nullptr;
  /// The rules of a model of ours in this family's names; throws Error (usage) that says what the family cannot hold.
  /// Null where nothing is exported.
  std::vector<Rule> (*rules)(const ModelConfig& config) = nullptr;
};

/// All families, special ones before general ones: the first that matches is it.
std::span<const Family> families();
/// Throws Error (usage) that lists the words.
const Family& family_of(std::string_view word);
/// The first that matches; throws Error (data) that tells some of the file's names.
const Family& recognise(const Checkpoint& checkpoint);

// ---- what families are written with ----

/// In place of a name: what their file has not is zero, and where it is no longer, export fails ...
inline constexpr std::string_view kZeros = "0";
/// ... or nothing depends on it, which is true of biases of keys: scores move by the same for all keys.
inline constexpr std::string_view kIdle = "";

/// A row of names: our parameter, "{}" for the number of the block, and their tensors, one below the other in equal
/// parts.
struct NameRow {
  std::string_view ours;
  std::vector<std::string_view> theirs;
  std::vector<int> axes = {};  // as Piece's
};

/// One rule for each parameter that `config` has, by the first row of its name. Where there is none the name is ours if
/// `same_names`, else Error (usage) is thrown: the family has no such part.
std::vector<Rule> rules_by_names(std::string_view family, const ModelConfig& config, std::span<const NameRow> rows,
                                 bool same_names = false);
/// Null when there is none.
Rule* find_rule(std::vector<Rule>& rules, std::string_view ours);
/// Drops the tensors of a name, in which "*" stands for any text.
void drop(const Checkpoint& checkpoint, std::string_view pattern, std::string_view why, Recognised& found);
/// "blocks.{}.norm1.weight" of block 3.
std::string with_block(std::string_view pattern, int64_t block);

/// A value of config.json; the fallback where there is no config, no such field or null. Throws Error (data) for
/// another type; `what` names the family for the message.
int64_t config_integer(const nlohmann::json& config, const char* field, int64_t fallback);
double config_number(const nlohmann::json& config, const char* field, double fallback);
bool config_flag(const nlohmann::json& config, const char* field, bool fallback);
std::string config_text(const nlohmann::json& config, const char* field, std::string_view fallback);

/// The side of a square grid of `tokens`; throws Error (data) where it is none.
int64_t grid_side(int64_t tokens, std::string_view name);
/// Sets the size of the pictures that `config` takes (the options', else theirs), and resizes the position table of a
/// grid of `side` in `rules` where that is another size. Throws Error (usage) where the size is no multiple of a patch.
void set_image_size(const ImportOptions& options, int64_t side, const GridFilter& filter, Recognised& found);

}  // namespace vit
