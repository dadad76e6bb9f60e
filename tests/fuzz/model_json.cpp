// What model files and run folders hold as JSON.
#include <nlohmann/json.hpp>

#include "preprocess/augment.h"
#include "preprocess/config.h"
#include "tests/fuzz/target.h"
#include "train/config.h"
#include "vit/core/json_fields.h"
#include "vit/core/json_strict.h"
#include "vit/model/config.h"

namespace vit::fuzz {

void read_model_json(Bytes bytes) {
  tolerate([&] { parse_strict_json(text_of(bytes), "json", "input"); });
  const nlohmann::json json = parse_json(text_of(bytes), "json", "input");
  // A config that is taken comes back from what is written of it.
  tolerate([&] {
    const nlohmann::json written = to_json(model_config_from_json(json, "input"));
    expect(to_json(model_config_from_json(written, "written")) == written, "a model's config comes back");
  });
  tolerate([&] {
    const nlohmann::json written = to_json(preprocess_config_from_json(json, "input"));
    expect(to_json(preprocess_config_from_json(written, "written")) == written, "preprocessing comes back");
  });
  tolerate([&] { to_json(augment_config_from_json(json, "input")); });
  tolerate([&] { to_json(train_config_from_json(json, TrainConfig(), "input")); });
}

}  // namespace vit::fuzz
