// The smallest model with more than one of everything.
#pragma once

#include "vit/model/config.h"

namespace vit::test {

inline ModelConfig small_config() {
  ModelConfig c;
  c.name = "small";
  c.image_size = 8;
  c.patch_size = 4;
  c.width = 8;
  c.depth = 2;
  c.heads = 2;
  c.mlp_width = 16;
  c.classes = 3;
  return c;
}

}  // namespace vit::test
