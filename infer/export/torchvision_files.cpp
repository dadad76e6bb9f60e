// torchvision.models.VisionTransformer: a class token, learned positions, LayerNorm of eps 1e-6, GELU.
#include "infer/export/weights_files.h"
#include "vit/core/text.h"

namespace vit {

WeightsFiles torchvision_files(const Model& model) {
  const ModelConfig& c = model.config;
  Faults faults;
  check_published_parts(c, faults);
  check_plain(c,
              {"eps", "activation", "pooling", "position", "class_token", "qkv_bias", "layer_scale", "norm", "mlp",
               "prefix_position", "registers", "qk_norm", "rope", "patch_bias", "patch_norm", "pre_norm",
               "attention_norm", "mlp_norm", "distilled"},
              faults);
  faults.check(c.final_norm == FinalNorm::by_pooling || c.final_norm == FinalNorm::before,
               "final_norm: needs before_pooling, has ", word_of(c.final_norm));
  faults.check(c.classes > 0, "classes: needs a head, has none");
  faults.raise(ErrorKind::usage, "export", concat("torchvision, model ", c.name));
  WeightsFiles files;
  files.rules = family_of("torchvision").rules(c);
  files.config = {{"class", "torchvision.models.VisionTransformer"},
                  {"arguments",
                   {{"image_size", c.image_size},
                    {"patch_size", c.patch_size},
                    {"num_layers", c.depth},
                    {"num_heads", c.heads},
                    {"hidden_dim", c.width},
                    {"mlp_dim", c.mlp_width},
                    {"num_classes", c.classes}}}};
  if (!model.class_names.empty()) files.config["label_names"] = printable(model.class_names);
  files.config["pretrained_cfg"] = timm_pretrained_cfg(model);
  files.notes.push_back("config.json has the arguments of torchvision.models.VisionTransformer");
  return files;
}

}  // namespace vit
