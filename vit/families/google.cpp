// Google's .npz: Dosovitskiy et al., arXiv:2010.11929 and Steiner et al., arXiv:2106.10270; big_vision's, whose blocks
// may lie in one tensor.
#include <array>

#include "vit/core/error.h"
#include "vit/families/rows.h"

namespace vit {
namespace {

// What timm resizes these files with.
constexpr GridFilter kFilter{.kernel = GridFilter::Kernel::bilinear, .antialias = false};

constexpr std::array<std::string_view, 4> kPrefixes{"", "opt/target/", "params/", "params/img/"};

/// The names of a file.
struct Names {
  std::string prefix;
  bool big_vision = false;
  bool stacked = false;  // all blocks in one tensor
  int64_t depth = 0;

  std::string root(std::string_view name) const { return prefix + std::string(name); }
  std::string block(int64_t i, std::string_view name) const {
    const std::string blocks = root("Transformer/encoderblock");
    return concat(stacked ? blocks : concat(blocks, "_", i), "/", name);
  }
  std::string attention() const {
    return big_vision ? "MultiHeadDotProductAttention_0/" : "MultiHeadDotProductAttention_1/";
  }
  std::string norm2() const { return big_vision ? "LayerNorm_1/" : "LayerNorm_2/"; }
  std::string mlp() const { return big_vision ? "MlpBlock_0/" : "MlpBlock_3/"; }
};

const std::string_view* prefix_of(const Checkpoint& checkpoint) {
  for (const std::string_view& prefix : kPrefixes)
    if (checkpoint.has(std::string(prefix) + "embedding/kernel")) return &prefix;
  return nullptr;
}

Names names_of(const Checkpoint& checkpoint) {
  Names names;
  const std::string_view* prefix = prefix_of(checkpoint);
  if (prefix == nullptr)
    fail(ErrorKind::data, "[import] embedding/kernel is missing in ", checkpoint.tensors.path().string());
  names.prefix = *prefix;
  names.stacked = checkpoint.has(names.root("Transformer/encoderblock/LayerNorm_0/scale"));
  names.big_vision =
      names.prefix.starts_with("params/") || names.stacked || checkpoint.has(names.root("pos_embedding"));
  names.depth = names.stacked ? checkpoint.shape(names.root("Transformer/encoderblock/LayerNorm_0/scale"), 2)[0]
                              : checkpoint.count(names.root("Transformer/encoderblock_{}/LayerNorm_0/scale"));
  return names;
}

/// Pieces by the sizes of a model.
class Pieces {
 public:
  Pieces(const Names& names, const ModelConfig& config) : names_(names), c_(config) {}

  Piece vector(const std::string& name, int64_t size) const { return {.name = name, .shape = {size}}; }
  /// A Linear [in, out] there.
  Piece matrix(const std::string& name, int64_t in, int64_t out) const {
    return {.name = name, .shape = {in, out}, .axes = {1, 0}};
  }
  Piece of_block(int64_t i, const std::string& name, std::vector<int64_t> shape, std::vector<int64_t> view = {},
                 std::vector<int> axes = {}) const {
    Piece piece{
        .name = names_.block(i, name), .shape = std::move(shape), .view = std::move(view), .axes = std::move(axes)};
    if (names_.stacked) {
      if (piece.view.empty()) piece.view = piece.shape;
      std::vector<int64_t> stacked{names_.depth};
      stacked.insert(stacked.end(), piece.shape.begin(), piece.shape.end());
      piece.shape = std::move(stacked);
      piece.first = i;
      piece.rows = 1;
    }
    return piece;
  }

  void add_block(int64_t i, std::vector<Rule>& rules) const {
    const auto add = [&](const char* ours, std::vector<Piece> pieces) {
      rules.push_back({concat("blocks.", i, ".", ours), std::move(pieces)});
    };
    const int64_t d = c_.width, h = c_.heads, k = c_.head_size(), f = c_.mlp_width;
    const std::string attention = names_.attention(), mlp = names_.mlp();
    const auto norm = [&](const char* ours, const std::string& theirs) {
      add((std::string(ours) + ".weight").c_str(), {of_block(i, theirs + "scale", {d})});
      add((std::string(ours) + ".bias").c_str(), {of_block(i, theirs + "bias", {d})});
    };
    norm("norm1", "LayerNorm_0/");
    norm("norm2", names_.norm2());
    std::vector<Piece> weights, biases;
    for (const char* part : {"query", "key", "value"}) {
      weights.push_back(of_block(i, concat(attention, part, "/kernel"), {d, h, k}, {d, d}, {1, 0}));
      biases.push_back(of_block(i, concat(attention, part, "/bias"), {h, k}));
    }
    add("attn.qkv.weight", std::move(weights));
    add("attn.qkv.bias", std::move(biases));
    add("attn.proj.weight", {of_block(i, attention + "out/kernel", {h, k, d}, {d, d}, {1, 0})});
    add("attn.proj.bias", {of_block(i, attention + "out/bias", {d})});
    add("mlp.fc1.weight", {of_block(i, mlp + "Dense_0/kernel", {d, f}, {d, f}, {1, 0})});
    add("mlp.fc1.bias", {of_block(i, mlp + "Dense_0/bias", {f})});
    add("mlp.fc2.weight", {of_block(i, mlp + "Dense_1/kernel", {f, d}, {f, d}, {1, 0})});
    add("mlp.fc2.bias", {of_block(i, mlp + "Dense_1/bias", {d})});
  }

  /// SigLIP's and big_vision's attention pooling.
  void add_pool(std::vector<Rule>& rules) const {
    const int64_t d = c_.width, h = c_.heads, k = c_.head_size(), f = c_.mlp_width;
    const std::string pool = names_.root("MAPHead_0/"), attention = pool + "MultiHeadDotProductAttention_0/";
    const auto kernel = [&](const char* part) {
      return Piece{.name = concat(attention, part, "/kernel"), .shape = {d, h, k}, .view = {d, d}, .axes = {1, 0}};
    };
    const auto bias = [&](const char* part) {
      return Piece{.name = concat(attention, part, "/bias"), .shape = {h, k}};
    };
    rules.push_back({"attn_pool.latent", {{.name = pool + "probe", .shape = {1, 1, d}}}});
    rules.push_back({"attn_pool.q.weight", {kernel("query")}});
    rules.push_back({"attn_pool.q.bias", {bias("query")}});
    rules.push_back({"attn_pool.kv.weight", {kernel("key"), kernel("value")}});
    rules.push_back({"attn_pool.kv.bias", {bias("key"), bias("value")}});
    rules.push_back({"attn_pool.proj.weight",
                     {{.name = attention + "out/kernel", .shape = {h, k, d}, .view = {d, d}, .axes = {1, 0}}}});
    rules.push_back({"attn_pool.proj.bias", {vector(attention + "out/bias", d)}});
    rules.push_back({"attn_pool.norm.weight", {vector(pool + "LayerNorm_0/scale", d)}});
    rules.push_back({"attn_pool.norm.bias", {vector(pool + "LayerNorm_0/bias", d)}});
    rules.push_back({"attn_pool.mlp.fc1.weight", {matrix(pool + "MlpBlock_0/Dense_0/kernel", d, f)}});
    rules.push_back({"attn_pool.mlp.fc1.bias", {vector(pool + "MlpBlock_0/Dense_0/bias", f)}});
    rules.push_back({"attn_pool.mlp.fc2.weight", {matrix(pool + "MlpBlock_0/Dense_1/kernel", f, d)}});
    rules.push_back({"attn_pool.mlp.fc2.bias", {vector(pool + "MlpBlock_0/Dense_1/bias", d)}});
  }

  std::vector<Rule> all(const std::string& position, int64_t positions) const {
    const int64_t d = c_.width, p = c_.patch_size;
    std::vector<Rule> rules;
    if (c_.class_token) rules.push_back({"cls_token", {{.name = names_.root("cls"), .shape = {1, 1, d}}}});
    rules.push_back({"pos_embed", {{.name = position, .shape = {1, positions, d}}}});
    rules.push_back({"patch_embed.proj.weight",
                     {{.name = names_.root("embedding/kernel"), .shape = {p, p, 3, d}, .axes = {3, 2, 0, 1}}}});
    rules.push_back({"patch_embed.proj.bias", {vector(names_.root("embedding/bias"), d)}});
    for (int64_t i = 0; i < c_.depth; ++i) add_block(i, rules);
    rules.push_back({"norm.weight", {vector(names_.root("Transformer/encoder_norm/scale"), d)}});
    rules.push_back({"norm.bias", {vector(names_.root("Transformer/encoder_norm/bias"), d)}});
    if (c_.pooling == "map") add_pool(rules);
    if (c_.classes > 0) {
      rules.push_back({"head.weight", {matrix(names_.root("head/kernel"), d, c_.classes)}});
      rules.push_back({"head.bias", {vector(names_.root("head/bias"), c_.classes)}});
    }
    return rules;
  }

 private:
  Names names_;
  ModelConfig c_;
};

bool matches(const Checkpoint& checkpoint) { return prefix_of(checkpoint) != nullptr; }

void read_sizes(const Checkpoint& checkpoint, const Names& names, ModelConfig& c) {
  const std::size_t stack = names.stacked ? 1 : 0;
  const std::vector<int64_t>& patch = checkpoint.shape(names.root("embedding/kernel"), 4);
  const std::vector<int64_t>& query = checkpoint.shape(names.block(0, names.attention() + "query/kernel"), 3 + stack);
  if (patch[0] != patch[1] || patch[2] != 3)
    fail(ErrorKind::data, "[import] embedding/kernel needs square patches of 3 colours, has ", patch[0], " x ",
         patch[1], " of ", patch[2]);
  c.name = "google_vit";
  c.patch_size = patch[0];
  c.width = patch[3];
  c.depth = names.depth;
  c.heads = query[1 + stack];
  c.mlp_width = checkpoint.shape(names.block(0, names.mlp() + "Dense_0/bias"), 1 + stack)[stack];
  c.class_token = checkpoint.has(names.root("cls"));
  c.classes = checkpoint.has(names.root("head/bias")) ? checkpoint.shape(names.root("head/bias"), 1)[0] : 0;
  c.pooling = checkpoint.has(names.root("MAPHead_0/probe")) ? "map" : c.class_token ? "token" : "avg";
  c.final_norm = c.pooling == "avg" ? FinalNorm::before : FinalNorm::by_pooling;
}

Recognised read(const Checkpoint& checkpoint, const ImportOptions& options) {
  const Names names = names_of(checkpoint);
  Recognised found;
  ModelConfig& c = found.config;
  read_sizes(checkpoint, names, c);
  found.assumed.push_back("eps 1e-6 and the exact GELU, as timm runs these weights");
  const std::string position =
      names.root(names.big_vision ? "pos_embedding" : "Transformer/posembed_input/pos_embedding");
  const int64_t positions = checkpoint.shape(position, 3)[1];
  c.prefix_position = !c.class_token || !names.big_vision;
  const int64_t side = grid_side(positions - (c.class_token && c.prefix_position ? 1 : 0), position);
  c.image_size = side * c.patch_size;
  found.rules = Pieces(names, c).all(position, positions);
  set_image_size(options, side, kFilter, found);
  drop(checkpoint, names.root("pre_logits/*"), "a layer before the head that timm drops, too", found);
  drop(checkpoint, "opt/state/*", "state of the optimizer", found);
  drop(checkpoint, "opt/step", "state of the optimizer", found);
  if (names.prefix == "params/img/") drop(checkpoint, "params/txt/*", "the text tower", found);
  if (names.prefix == "params/img/") drop(checkpoint, "params/t", "temperature of pairs of pictures and texts", found);
  if (names.prefix == "params/img/") drop(checkpoint, "params/b", "bias of pairs of pictures and texts", found);
  return found;
}

}  // namespace

Family google_family() {
  return {
      .word = "google", .help = "Google's .npz: vision_transformer and big_vision", .matches = matches, .read = read};
}

}  // namespace vit
