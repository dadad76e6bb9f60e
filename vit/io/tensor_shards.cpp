#include "vit/io/tensor_shards.h"

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "vit/core/error.h"
#include "vit/core/json_strict.h"
#include "vit/core/text.h"
#include "vit/io/atomic_file.h"
#include "vit/io/safetensors.h"
#include "vit/io/tensor_list.h"

namespace vit {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostIndexBytes = 16 << 20;
constexpr std::size_t kMostShards = 512;  // each stays open

/// Only a name: a path could lead to any file of the machine.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string("/\\\0", 3)) == std::string::npos;
}

using Shards = std::map<std::string, std::unique_ptr<TensorFile>>;

class TensorShards : public TensorFile {
 public:
  explicit TensorShards(const fs::path& index) : path_(index) {
    const std::string where = index.string();
    const nlohmann::json json = parse_strict_json(read_file(index, kMostIndexBytes), "index", where);
    if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object())
      fail(ErrorKind::data, "[index] needs an object 'weight_map' of tensors and their files (", where, ")");
    const nlohmann::json& map = json["weight_map"];
    for (const auto& item : map.items()) {
      const std::string file = item.value().is_string() ? item.value().get<std::string>() : std::string();
      if (!is_plain_name(file))
        fail(ErrorKind::data, "[index] weight_map/", printable(item.key()), " needs the name of a file in the folder",
             file.empty() ? std::string() : concat(", has ", printable(cut_name(file, 80))), " (", where, ")");
      if (!shards_.contains(file)) open_shard(file);
      if (find_tensor(*shards_[file], item.key()) == nullptr)
        fail(ErrorKind::data, "[index] ", printable(item.key()), " is not in ", shards_[file]->path().string(),
             ", as the index says (", where, ")");
    }
    list_entries(map);
  }

  const fs::path& path() const override { return path_; }
  const std::vector<TensorEntry>& entries() const override { return list_.entries(); }
  const std::map<std::string, std::string>& metadata() const override {
    static const std::map<std::string, std::string> kNone;
    return shards_.empty() ? kNone : shards_.begin()->second->metadata();
  }
  void read(const TensorEntry& entry, std::span<float> values) const override {
    list_.place_of(entry, values)->read(entry, values);
  }

 private:
  void open_shard(const std::string& file) {
    const fs::path path = path_.parent_path() / file;
    std::error_code error;
    if (!fs::exists(path, error))
      fail(ErrorKind::io, "[index] the shard ", printable(path.string()), " is missing; were all files copied? (",
           path_.string(), ")");
    if (shards_.size() == kMostShards)
      fail(ErrorKind::data, "[index] names more than ", kMostShards, " files (", path_.string(), ")");
    shards_.emplace(file, open_safetensors(path));
  }

  void list_entries(const nlohmann::json& map) {
    std::vector<ListedTensor<const TensorFile*>> tensors;
    for (const auto& [name, shard] : shards_)
      for (const TensorEntry& entry : shard->entries()) {
        const auto found = map.find(entry.name);
        if (found == map.end())
          fail(ErrorKind::data, "[index] ", tensor_in(entry.name, shard->path()), " is not in the index (",
               path_.string(), ")");
        if (*found != name)
          fail(ErrorKind::data, "[index] ", printable(entry.name), " is there twice: in ", shard->path().string(),
               " and in ", printable(found->get<std::string>()));
        tensors.push_back({entry, shard.get()});
      }
    list_ = TensorList<const TensorFile*>(std::move(tensors), path_);
  }

  fs::path path_;
  Shards shards_;  // by file name
  TensorList<const TensorFile*> list_;
};

}  // namespace

std::unique_ptr<TensorFile> open_tensor_shards(const fs::path& index) { return std::make_unique<TensorShards>(index); }

}  // namespace vit
