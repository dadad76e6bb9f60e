#include "vit/families/linear_head.h"

#include "vit/core/error.h"

namespace vit {

void read_linear_head(const Checkpoint& checkpoint, ModelConfig& config) {
  config.classes = 0;
  config.pooling = "token";
  if (!checkpoint.has("linear_head.weight")) return;
  const std::vector<int64_t>& shape = checkpoint.shape("linear_head.weight", 2);
  config.classes = shape[0];
  if (shape[1] == config.width) return;  // on the class token alone
  config.pooling = "token_avg";
  config.readout_layers = shape[1] / config.width - 1;
  if (shape[1] % config.width != 0 || config.readout_layers < 1 || config.readout_layers > config.depth)
    fail(ErrorKind::data, "[import] the head has ", shape[1], " columns, which are not class tokens of some of ",
         config.depth, " blocks and a mean, of ", config.width, " each; is it of another backbone?");
}

void add_linear_head(std::vector<NameRow>& rows) {
  rows.push_back({"head.weight", {"linear_head.weight"}});
  rows.push_back({"head.bias", {"linear_head.bias"}});
}

}  // namespace vit
