// What a comparison with a reference found, as text and JSON.
#include <cstdio>
#include <string>
#include <vector>

#include "infer/parity.h"
#include "infer/text_format.h"
#include "vit/core/json_text.h"
#include "vit/core/text.h"

namespace vit {
namespace {

using Json = nlohmann::ordered_json;

/// Of one picture.
std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = shape.empty() ? "none" : "";
  for (std::size_t i = 1; i < shape.size(); ++i) text += concat(i == 1 ? "" : " x ", shape[i]);
  return text;
}

/// Two digits are enough to see how far it is.
std::string small(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", value);
  return value == 0 ? "0" : text;
}

std::string row_text(const StageComparison& s, bool first) {
  const std::string mark = first ? "  <- the first to differ" : "";
  const std::string begin = concat(pad_right(s.stage, 12), pad_left(shape_text(s.ours), 16));
  if (s.ours != s.theirs) return concat(begin, "  the reference has ", shape_text(s.theirs), mark, '\n');
  return concat(begin, pad_left(small(s.max_abs), 11), pad_left(small(s.relative), 11),
                pad_left(fixed(s.cosine, 7), 12), pad_left(std::to_string(s.beyond), 10), mark, '\n');
}

std::string table_text(const ParityRun& run) {
  std::string text = concat(pad_right("stage", 12), pad_left("of a picture", 16), pad_left("max abs", 11),
                            pad_left("relative", 11), pad_left("cosine", 12), pad_left("beyond", 10), '\n');
  const StageComparison* first = run.first_difference();
  for (const StageComparison& s : run.stages) text += row_text(s, &s == first);
  return text;
}

std::string verdict_text(const ParityRun& run, double tolerance) {
  const StageComparison* first = run.first_difference();
  if (first == nullptr) return concat("every stage agrees within ", small(tolerance), " * (1 + |reference|)\n");
  if (first->ours != first->theirs)
    return concat(first->stage, ": ", shape_text(first->ours), " here, ", shape_text(first->theirs),
                  " in the reference; likely cause: ", run.cause, '\n');
  return concat(first->stage, " is the first to differ, by ", small(first->max_abs), " at most (relative ",
                small(first->relative), "); likely cause: ", run.cause, '\n');
}

/// "timm 1.0.31, torch 2.15.0" of the reference's metadata.
std::string made_by(const nlohmann::json& metadata) {
  std::string text;
  const auto versions = metadata.find("versions");
  if (versions == metadata.end() || !versions->is_object()) return text;
  for (const auto& [name, version] : versions->items())
    if (version.is_string()) text += concat(text.empty() ? "" : ", ", name, " ", version.get<std::string>());
  return printable(text);
}

Json json_of(const ParityRun& run) {
  Json stages = Json::array();
  for (const StageComparison& s : run.stages) {
    Json stage{{"stage", s.stage}, {"shape", s.ours}};
    if (s.ours != s.theirs)
      stage["reference_shape"] = s.theirs;
    else
      stage.update({{"max_abs", s.max_abs}, {"relative", s.relative}, {"cosine", s.cosine}, {"beyond", s.beyond}});
    stage["agrees"] = s.agrees;
    stages.push_back(std::move(stage));
  }
  Json first;
  if (const StageComparison* s = run.first_difference()) first = {{"stage", s->stage}, {"cause", run.cause}};
  return {{"stages", std::move(stages)}, {"first_difference", std::move(first)}};
}

}  // namespace

std::string parity_text(const ParityResult& r) {
  std::string text = concat(pad_right("pictures", 12), r.pictures, '\n');
  if (const std::string versions = made_by(r.metadata); !versions.empty())
    text += concat(pad_right("reference", 12), versions, '\n');
  text += table_text(r.run);
  if (r.has_answers) text += concat("same answer for ", r.same_answers, " of ", r.pictures, " pictures\n");
  text += verdict_text(r.run, r.tolerance);
  if (!r.from_pixels) return text;
  return text + concat("\nwith the reference's own pixels:\n", table_text(*r.from_pixels),
                       verdict_text(*r.from_pixels, r.tolerance));
}

Json parity_json(const ParityResult& r) {
  Json json{{"pictures", r.pictures}, {"tolerance", r.tolerance}, {"agrees", r.agrees()}};
  json.update(json_of(r.run));
  json["same_answers"] = r.has_answers ? Json(r.same_answers) : Json();
  json["with_reference_pixels"] = r.from_pixels ? json_of(*r.from_pixels) : Json();
  json["reference_metadata"] = r.metadata;
  return json;
}

}  // namespace vit
