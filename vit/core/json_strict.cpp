#include "vit/core/json_strict.h"

#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "vit/core/error.h"
#include "vit/core/json_text.h"
#include "vit/core/text.h"

namespace vit {
namespace {

/// Follows the parser: which fields each open object has had, and the way to the one that is read now.
class FieldTrail {
 public:
  using Event = nlohmann::json::parse_event_t;

  /// False for a field that its object has had.
  bool follow(Event event, const nlohmann::json& value) {
    if (event == Event::object_start) open_.emplace_back();
    if (event == Event::object_end && !open_.empty()) open_.pop_back();
    if (event != Event::key || open_.empty()) return true;
    open_.back().now = value.get<std::string>();
    return open_.back().had.insert(open_.back().now).second;
  }

  /// "blocks.0.weight/shape"; empty before the first field.
  std::string place() const {
    std::string text;
    for (const Object& object : open_) {
      if (object.had.empty()) break;
      if (!text.empty()) text += '/';
      text += printable(object.now);
    }
    return text;
  }

 private:
  struct Object {
    std::unordered_set<std::string> had;
    std::string now;
  };
  std::vector<Object> open_;
};

}  // namespace

nlohmann::json parse_strict_json(std::string_view text, std::string_view what, std::string_view where) {
  if (nests_too_deep(text))
    fail(ErrorKind::data, "[", what, "] nests too deep: JSON of at most ", kMostJsonLevels, " levels is read (", where,
         ")");
  FieldTrail trail;
  const auto follow = [&](int, FieldTrail::Event event, nlohmann::json& value) {
    if (!trail.follow(event, value))
      fail(ErrorKind::data, "[", what, "] field '", trail.place(), "' is there twice (", where, ")");
    return true;
  };
  try {
    return nlohmann::json::parse(text, follow);
  } catch (const nlohmann::json::out_of_range&) {
    fail(ErrorKind::data, "[", what, "] field '", trail.place(), "': a number is beyond all numbers (", where, ")");
  } catch (const nlohmann::json::parse_error& error) {
    const std::string place = trail.place();
    fail(ErrorKind::data, "[", what, "] is not JSON, from byte ", error.byte, " on",
         place.empty() ? std::string() : concat(", at or behind field '", place, "'"), " (", where,
         "); is the file damaged?");
  }
}

}  // namespace vit
