// Convolutions before the tokens: a few layers of convolution, ReLU and max pooling (3 x 3, stride 2). Hassani et al.,
// arXiv:2104.05704.
#pragma once

#include <vector>

#include "vit/kernels/windows.h"
#include "vit/layers/linear.h"
#include "vit/layers/tokenizer.h"

namespace vit {

/// Reads pixels [S*S, channels].
class ConvTokenizer final : public Tokenizer {
 public:
  struct Options {
    int64_t image_size = 0;
    int64_t channels = 3;
    int64_t layers = 1;
    int64_t kernel = 3;
    int64_t stride = 1;
    int64_t hidden = 64;  // channels between layers
    int64_t width = 0;
  };
  /// Registers tokenizer.conv_layers.<i>.0.weight [O, C, k, k].
  ConvTokenizer(Registry& registry, const Options& options);

  /// The grid of tokens that comes out, without a prefix; its sides may be 0 where the options do not fit.
  static Tokens grid(const Options& options);

  void pack(const Packing& packing) override;
  State plan_scratch(Arena& arena, int64_t images, bool training) const override;
  bool splits() const override { return false; }
  void forward_add(TensorView<const float> pixels, int64_t image, int64_t first, int64_t count, const State& scratch,
                   TensorView<float> x) const override;
  void backward(TensorView<const float> dx, TensorView<const float> pixels, const Shard& shard,
                const Gradients& gradients, const State& scratch) const override;
  double flops() const override;

 private:
  struct Layer {
    Windows convolution, pooling;
    Linear linear;
  };
  struct LayerScratch {
    Matrix columns;    // [images * H' W', C k k]
    Matrix activated;  // [images * H' W', O], after ReLU
    Matrix pooled;     // [images * tokens, O]
    Matrix winners;    // of pooling, int8; null in inference
    // Of backward; null in inference.
    Matrix dactivated, dcolumns, dpooled;
  };
  struct Scratch {
    std::vector<LayerScratch> layers;
    TensorView<float> tokens;  // [tokens, D] of one image
    bool kept = false;         // each image has places of its own
  };

  Options options_;
  std::vector<Layer> layers_;
};

}  // namespace vit
