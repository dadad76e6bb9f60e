// What quantisation did, as text and JSON.
#include "infer/quantize.h"
#include "infer/text_format.h"
#include "vit/core/text.h"

namespace vit {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Accuracy& a) { return {{"top1", a.top1}, {"top5", a.top5}, {"loss", a.loss}}; }
Json json_of(const LogitError& e) { return {{"kl", e.kl}, {"relative_l2", e.relative_l2}, {"agreement", e.agreement}}; }

/// "+0.12 points", "-0.12 points".
std::string points(double difference) {
  return concat(difference < 0 ? "" : "+", fixed(100 * difference, 2), " points");
}

}  // namespace

std::string quantize_text(const QuantizeResult& r) {
  constexpr int64_t kColumn = 12;
  std::string text;
  const auto line = [&](std::string_view name, const std::string& value) {
    text += concat(pad_right(name, kColumn), value, '\n');
  };
  const auto row = [&](std::string_view name, const std::string& a, const std::string& b, const std::string& change) {
    line(name, concat(pad_left(a, kColumn), pad_left(b, kColumn), "   ", change));
  };
  line("calibration", concat(r.calibration_images, " pictures of ", r.calibration_split));
  line("evaluation", concat(r.eval_images, " other pictures of ", r.eval_split));
  row("", "fp32", "int8", "change");
  row("top-1", percent(r.before.top1), percent(r.after.top1), points(r.after.top1 - r.before.top1));
  row("top-5", percent(r.before.top5), percent(r.after.top5), points(r.after.top5 - r.before.top5));
  row("loss", fixed(r.before.loss, 4), fixed(r.after.loss, 4), fixed(r.after.loss - r.before.loss, 4));
  line("logits", concat("KL divergence ", fixed(r.error.kl, 6), ", relative error ", percent(r.error.relative_l2),
                        ", same answer for ", percent(r.error.agreement), " of the pictures"));
  const std::size_t int8 = r.model.quantization.input_scales.size();
  line("weights", concat(int8, " of ", int8 + r.in_bf16.size(), " matrices of the blocks in int8"));
  for (const std::string& weight : r.in_bf16) line("  in bf16", weight);
  return text;
}

Json quantize_json(const QuantizeResult& r, const QuantizeOptions& options) {
  Json sensitivity = Json::array();
  for (const Sensitivity& s : r.sensitivity)
    sensitivity.push_back({{"weight", s.weight}, {"logits", json_of(s.error)}});
  return {{"calibration",
           {{"data", printable(options.data_name)},
            {"split", r.calibration_split},
            {"images", r.calibration_images},
            {"seed", options.seed}}},
          {"method",
           {{"clip", word_of(options.clip)},
            {"migration", json_number(options.migration)},
            {"max_loss", options.max_loss}}},
          {"evaluation", {{"split", r.eval_split}, {"images", r.eval_images}}},
          {"fp32", json_of(r.before)},
          {"int8", json_of(r.after)},
          {"logits", json_of(r.error)},
          {"bf16", r.in_bf16},
          {"sensitivity", sensitivity}};
}

}  // namespace vit
