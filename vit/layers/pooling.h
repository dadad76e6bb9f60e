// How the tokens of an image become one row.
#pragma once

namespace vit {

enum class Pooling {
  class_token,
  mean,  // over the patch tokens
};

}  // namespace vit
