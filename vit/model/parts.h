// The tables of parts: a word of the config, what makes the part, what it asks of a config. A new part is a file in
// layers/ and a row here; a program adds rows of its own with `add`.
#pragma once

#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vit/core/error.h"
#include "vit/core/faults.h"
#include "vit/core/word_rows.h"
#include "vit/layers/attention_bias.h"
#include "vit/layers/block.h"
#include "vit/layers/embedding.h"
#include "vit/layers/norm.h"
#include "vit/layers/query_key_map.h"
#include "vit/layers/readout.h"
#include "vit/layers/stage.h"
#include "vit/layers/tokenizer.h"
#include "vit/model/config.h"

namespace vit {

/// What all rows have.
struct PartRow {
  std::string word;
  std::function<void(const ModelConfig& config, Faults& faults)> check = {};  // null = serves any config
};

/// Rows by word. Adding is for the start of a program: no model may be made or read meanwhile.
template <class Row>
class PartTable {
 public:
  PartTable(const std::string& kind, std::initializer_list<Row> rows) : what_("[model] " + kind), rows_(rows) {}

  /// Throws Error (usage) where the word is taken.
  void add(Row row) {
    if (find(row.word) != nullptr) fail(ErrorKind::usage, what_, " '", row.word, "' is there already");
    rows_.push_back(std::move(row));
  }
  /// Null when there is none.
  const Row* find(std::string_view word) const { return find_row(rows_, word); }
  /// Throws Error (usage) that lists the words.
  const Row& at(std::string_view word) const { return row_of(rows_, word, what_); }
  const std::deque<Row>& rows() const { return rows_; }

 private:
  std::string what_;      // for messages
  std::deque<Row> rows_;  // which stay where they are
};

struct TokenizerPart : PartRow {
  std::function<int64_t(const ModelConfig& config)> input_patch = {};  // as ModelConfig::input_patch
  std::function<Tokens(const ModelConfig& config)> grid = {};          // without a prefix
  std::function<std::unique_ptr<Tokenizer>(const ModelConfig& config, Registry& registry)> make = {};
};

/// Tokens in front of the grid; there are count(config) of them.
struct PrefixPart : PartRow {
  float deviation = 0.02f;
  std::function<int64_t(const ModelConfig& config)> count = {};
};

struct PositionPart : PartRow {
  /// table [N, D], zero before; null = the table is learned.
  std::function<void(const Tokens& tokens, TensorView<float> table)> fill = {};
};

struct NormPart : PartRow {
  std::function<std::unique_ptr<Norm>(const ModelConfig& config, Registry& registry, const std::string& name,
                                      int64_t width)>
      make = {};
};

struct MixerPart : PartRow {
  bool class_row = false;  // it can let the first token of an image leave alone
  std::function<std::unique_ptr<Mixer>(const ModelConfig& config, Registry& registry, const std::string& name,
                                       const MixerPlace& place)>
      make = {};
};

/// What stands between the queries and keys and attention, of those that a config wants in the order of the table.
struct QueryKeyMapPart : PartRow {
  std::function<bool(const ModelConfig& config)> wanted = {};
  std::function<std::unique_ptr<QueryKeyMap>(const ModelConfig& config, Registry& registry, const std::string& name,
                                             const MixerPlace& place)>
      make = {};
};

/// What is added to the scores of attention; at most one.
struct AttentionBiasPart : PartRow {
  std::function<bool(const ModelConfig& config)> wanted = {};
  std::function<std::unique_ptr<AttentionBias>(const ModelConfig& config, Registry& registry, const std::string& name,
                                               const MixerPlace& place)>
      make = {};
};

struct FeedForwardPart : PartRow {
  std::function<std::unique_ptr<FeedForward>(const ModelConfig& config, Registry& registry, const std::string& name,
                                             int dropout_site)>
      make = {};
};

struct StageListPart : PartRow {
  /// `class_row`: the last stage lets the first token of each image leave alone.
  std::function<std::vector<std::unique_ptr<Stage>>(const ModelConfig& config, Registry& registry, bool class_row)>
      make = {};
};

struct ReadoutPart : PartRow {
  std::function<bool(const ModelConfig& config)> one_token = {};  // reads each image's first token alone; null = no
  std::function<std::unique_ptr<Readout>(const ModelConfig& config, Registry& registry)> make = {};
  /// shares [N]: how much each token counts in the embedding, for attention maps; zero before.
  std::function<void(const ModelConfig& config, const Tokens& tokens, double* shares)> shares = {};
  std::function<int64_t(const ModelConfig& config)> feature_width = {};  // null = the width
};

PartTable<TokenizerPart>& tokenizers();
PartTable<PrefixPart>& prefix_tokens();
PartTable<PositionPart>& position_embeddings();
PartTable<NormPart>& norms();
PartTable<MixerPart>& mixers();
PartTable<QueryKeyMapPart>& query_key_maps();
PartTable<AttentionBiasPart>& attention_biases();
PartTable<FeedForwardPart>& feed_forwards();
PartTable<StageListPart>& stage_lists();
PartTable<ReadoutPart>& readouts();

/// The words of a table, for the options that choose a part.
template <auto kTable>
std::vector<std::string> part_words() {
  return row_words(kTable().rows());
}

/// Adds the faults of the words and of the parts that the config chooses.
void check_parts(const ModelConfig& config, Faults& faults);

/// The norm of a config.
MakeNorm norm_of(const ModelConfig& config);
/// The embedding of a config.
std::unique_ptr<Embedding> make_embedding(const ModelConfig& config, Registry& registry);

}  // namespace vit
