#include "infer/labels.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "infer/imagenet_names.h"
#include "vit/core/error.h"
#include "vit/core/json_fields.h"
#include "vit/core/text.h"
#include "vit/io/atomic_file.h"

namespace vit {
namespace {

constexpr int64_t kImageNetClasses = 1000;
constexpr std::string_view kImageNet = "imagenet-1k";
constexpr std::string_view kSynsets = "imagenet-1k-synsets";
constexpr std::string_view kTorchvision =
    "torchvision";  // its files say nothing, and all of 1000 classes are of ImageNet
constexpr std::string_view kBuiltIn = "ImageNet-1k, built in";
constexpr int64_t kMostBytes = int64_t{64} << 20;
constexpr int64_t kMostClasses = int64_t{1} << 22;  // as many as a model may have

/// Names by index from one place, which messages tell.
class NameList {
 public:
  explicit NameList(std::string where) : where_(std::move(where)) {}

  void set(int64_t index, std::string_view name) {
    if (index < 0 || index >= kMostClasses) reject("index ", index, " is no place of a class");
    if (!names_.emplace(index, text(index, name)).second) reject("class ", index, " is there twice");
  }
  void add(std::string_view name) { set(static_cast<int64_t>(names_.size()), name); }

  bool empty() const { return names_.empty(); }
  /// Whether they are what transformers writes where nobody gave names.
  bool placeholders() const {
    return std::ranges::all_of(names_, [](const auto& n) { return n.second == concat("LABEL_", n.first); });
  }

  /// All of them, 0, 1, 2, ... to the last class.
  std::vector<std::string> finish(int64_t classes) const {
    int64_t next = 0;
    for (const auto& [index, name] : names_)
      if (index != next++) reject("class ", next - 1, " is missing");
    if (next != classes) reject("has ", next, " names, the head has ", classes, " classes");
    std::vector<std::string> names;
    for (const auto& [index, name] : names_) names.push_back(name);
    return names;
  }

  template <class... Parts>
  [[noreturn]] void reject(const Parts&... parts) const {
    fail(ErrorKind::data, "[labels] ", concat(parts...), " (", where_, ")");
  }

 private:
  std::string text(int64_t index, std::string_view name) const {
    if (name.empty()) reject("the name of class ", index, " is empty");
    return printable(name);
  }

  std::string where_;
  std::map<int64_t, std::string> names_;
};

std::optional<int64_t> whole_number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

bool is_utf8(const std::string& text) {
  try {
    (void)nlohmann::json(text).dump();
    return true;
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

// ---- JSON ----

/// A name, or the second of [synset, name].
std::string name_of(const nlohmann::json& value, const std::string& place, const NameList& names) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return json_text(value);
  if (value.is_array() && value.size() == 2 && value[1].is_string()) return value[1].get<std::string>();
  names.reject(place, ": needs a text, has ", json_text(value));
}

void read_object(const nlohmann::json& object, NameList& names) {
  for (const auto& [key, value] : object.items()) {
    if (const auto index = whole_number(key))
      names.set(*index, name_of(value, concat("class ", key), names));
    else if (value.is_number_integer())  // the other way round
      names.set(value.get<int64_t>(), key);
    else
      names.reject("'", printable(key), "' is no index of a class, nor has it one");
  }
}

void read_json(const nlohmann::json& json, NameList& names) {
  if (json.is_array())
    for (const nlohmann::json& value : json) names.add(name_of(value, "a name of the list", names));
  else if (json.is_object())
    read_object(json, names);
  else
    names.reject("needs a list or an object, has ", json_text(json));
}

// ---- config.json ----

const nlohmann::json& child(const nlohmann::json& config, const char* field) {
  static const nlohmann::json none;
  return config.is_object() && config.contains(field) ? config[field] : none;
}

/// What stands for a name of timm's: the description where there is one.
std::string described(const std::string& name, const nlohmann::json& descriptions, const NameList& names) {
  const nlohmann::json& text = child(descriptions, name.c_str());
  if (text.is_null()) return name;
  if (!text.is_string()) names.reject("label_descriptions.", printable(name), ": needs a text, has ", json_text(text));
  return text.get<std::string>().empty() ? name : text.get<std::string>();
}

/// Published lists have some names twice ("crane").
void tell_apart(std::vector<std::string>& names) {
  std::map<std::string, int64_t> count;
  for (const std::string& name : names) ++count[name];
  const std::vector<std::string> known =
      static_cast<int64_t>(names.size()) == kImageNetClasses ? imagenet_names() : std::vector<std::string>();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (count[names[i]] == 1) continue;
    const bool as_known = !known.empty() && known[i].starts_with(names[i]);
    std::string other = as_known ? known[i] : concat(names[i], " (class ", i, ")");
    while (count.contains(other)) other += concat(" (class ", i, ")");
    ++count[other];
    names[i] = other;
  }
}

std::vector<std::string> listed(const nlohmann::json& config, const char* field, int64_t classes) {
  const nlohmann::json& list = child(config, field);
  if (list.is_null()) return {};
  NameList names(concat(field, " of config.json"));
  read_json(list, names);
  if (names.empty() || names.placeholders()) return {};
  std::vector<std::string> all = names.finish(classes);
  const nlohmann::json& descriptions = child(config, "label_descriptions");
  if (descriptions.is_array()) {
    NameList texts("label_descriptions of config.json");
    read_json(descriptions, texts);
    all = texts.finish(classes);
  } else if (!descriptions.is_null()) {
    for (std::string& name : all) name = printable(described(name, descriptions, names));
  }
  tell_apart(all);
  return all;
}

/// "vit_base_patch16_224.augreg_in21k_ft_in1k": the data of the last training ends the tag.
bool says_imagenet(const nlohmann::json& config) {
  const nlohmann::json& inner = child(config, "pretrained_cfg");
  for (const nlohmann::json* source : {&config, inner.is_object() ? &inner : &config})
    for (const char* field : {"tag", "architecture", "hf_hub_id", "_name_or_path", "dataset", "train_dataset"}) {
      const nlohmann::json& value = child(*source, field);
      if (!value.is_string()) continue;
      const std::string text = value.get<std::string>();
      for (const char* word : {"in1k", "imagenet-1k", "imagenet1k", "imagenet_1k", "ilsvrc2012", "ILSVRC2012"})
        if (text.find(word) != std::string::npos) return true;
    }
  return false;
}

// ---- files ----

std::vector<std::string> lines_of(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

/// The two fields of "3,name" or "3,"a, b and ""c"""; none where the line is no such pair.
std::optional<std::pair<std::string, std::string>> csv_pair(const std::string& line) {
  const std::size_t comma = line.find(',');
  if (comma == std::string::npos) return std::nullopt;
  std::string_view name = std::string_view(line).substr(comma + 1);
  if (!name.starts_with('"')) return std::pair(line.substr(0, comma), std::string(name));
  if (name.size() < 2 || !name.ends_with('"')) return std::nullopt;
  name = name.substr(1, name.size() - 2);
  std::string plain;
  for (std::size_t i = 0; i < name.size(); ++i) {
    plain += name[i];
    if (name[i] == '"' && (++i >= name.size() || name[i] != '"')) return std::nullopt;
  }
  return std::pair(line.substr(0, comma), plain);
}

bool is_csv(const std::vector<std::string>& lines) {
  const auto has_index = [](const std::string& line) {
    const auto pair = csv_pair(line);
    return pair && whole_number(pair->first);
  };
  return !lines.empty() &&
         (has_index(lines.front()) || (lines.size() > 1 && has_index(lines[1]) && csv_pair(lines[0])));
}

void read_csv(const std::vector<std::string>& lines, NameList& names) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto pair = csv_pair(lines[i]);
    const auto index = pair ? whole_number(pair->first) : std::nullopt;
    if (index)
      names.set(*index, pair->second);
    else if (i > 0)
      names.reject("line ", i + 1, ": needs an index and a name, has '", printable(lines[i]), "'");
  }
}

void read_label_file(const std::string& text, const std::string& path, NameList& names) {
  const std::size_t first = text.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (first != std::string::npos && (text[first] == '{' || text[first] == '[')) {
    const nlohmann::json json = parse_json(std::string_view(text).substr(first), "labels", path);
    const nlohmann::json& inner = child(json, "id2label");
    return read_json(inner.is_null() ? json : inner, names);
  }
  const std::vector<std::string> lines = lines_of(text);
  if (is_csv(lines)) return read_csv(lines, names);
  for (const std::string& line : lines) names.add(line);
}

void check_different(const std::vector<std::string>& all, const NameList& names) {
  std::map<std::string_view, std::size_t> seen;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (const auto [known, fresh] = seen.emplace(all[i], i); !fresh)
      names.reject("'", all[i], "' is the name of class ", known->second, " and of class ", i);
}

std::vector<std::string> imagenet_column(bool synsets) {
  constexpr std::size_t kDigits = 8;
  std::vector<std::string> column;
  for (const std::string& line : lines_of(imagenet_table()))
    column.push_back(synsets ? concat("n", line.substr(0, kDigits)) : line.substr(kDigits + 1));
  return column;
}

}  // namespace

std::vector<std::string> imagenet_names() { return imagenet_column(false); }
std::vector<std::string> imagenet_synsets() { return imagenet_column(true); }

Labels labels_of_config(const nlohmann::json& config, int64_t classes, std::string_view family) {
  if (classes < 1) return {{}, "there is no head"};
  for (const char* field : {"id2label", "label_names", "labels"})
    if (std::vector<std::string> names = listed(config, field, classes); !names.empty())
      return {std::move(names), concat(field, " of config.json")};
  const nlohmann::json& pretrained = child(config, "pretrained_cfg");  // where timm kept them before
  for (const char* field : {"label_names", "labels"})
    if (std::vector<std::string> names = listed(pretrained, field, classes); !names.empty())
      return {std::move(names), concat("pretrained_cfg.", field, " of config.json")};
  if (classes == kImageNetClasses && says_imagenet(config)) return {imagenet_names(), std::string(kBuiltIn)};
  if (classes == kImageNetClasses && family == kTorchvision)
    return {imagenet_names(), concat(kBuiltIn, ", as those of torchvision's models are")};
  return {{},
          concat("nothing says them; --labels FILE does",
                 classes == kImageNetClasses ? concat(", or --labels ", kImageNet) : "")};
}

Labels labels_of_file(const std::string& file, int64_t classes) {
  if (file == kImageNet || file == kSynsets) {
    if (classes != kImageNetClasses)
      fail(ErrorKind::usage, "[labels] --labels ", file, " needs a head of ", kImageNetClasses, " classes, has ",
           classes);
    return {imagenet_column(file == kSynsets), std::string(kBuiltIn)};
  }
  const std::string text = read_file(file, kMostBytes);
  NameList names(printable(file));
  if (!is_utf8(text)) names.reject("needs UTF-8, has bytes that are none");
  read_label_file(text, file, names);
  std::vector<std::string> all = names.finish(classes);
  check_different(all, names);
  return {std::move(all), printable(file)};
}

}  // namespace vit
