// One Linear on the pixels of each patch: a convolution of patch size and stride. Dosovitskiy et al.,
// arXiv:2010.11929. A norm may follow.
#pragma once

#include <memory>

#include "vit/layers/linear.h"
#include "vit/layers/norm.h"
#include "vit/layers/tokenizer.h"

namespace vit {

/// Reads patch rows [patches, 3*P*P].
class PatchTokenizer final : public Tokenizer {
 public:
  struct Options {
    int64_t patches = 0;
    int64_t patch_size = 0;
    int64_t channels = 3;
    int64_t width = 0;
    bool bias = true;
    MakeNorm norm = {};  // of the projected patches; null = none
  };
  /// Registers patch_embed.proj and patch_embed.norm. The projection is drawn as PyTorch draws a convolution: with 0.02
  /// training starts markedly slower.
  PatchTokenizer(Registry& registry, const Options& options);

  void pack(const Packing& packing) override;
  State plan_scratch(Arena& arena, int64_t images, bool training) const override;
  bool splits() const override { return true; }
  void forward_add(TensorView<const float> patches, int64_t image, int64_t first, int64_t count, const State& scratch,
                   TensorView<float> x) const override;
  void backward(TensorView<const float> dx, TensorView<const float> patches, const Shard& shard,
                const Gradients& gradients, const State& scratch) const override;
  double flops() const override { return proj_.flops(options_.patches); }

 private:
  struct Scratch {
    Matrix patches;   // [B * patches, 3*P*P] for the products; null where they read the patches themselves
    Matrix dpatches;  // [B * patches, D] of backward: the gradients of the projected patches
    // Of a norm; in training rows of all images, else of one.
    TensorView<float> projected;  // [patches, D] of training: what the norm reads
    TensorView<float> normed;     // [patches, D]; in backward gradients
    Norm::Saved norm;
  };

  void forward_norm(ConstMatrix input, int64_t image, int64_t first, const Scratch& scratch, TensorView<float> x) const;
  void gather_gradients(TensorView<const float> dx, const Shard& shard, Matrix rows) const;

  Options options_;
  Linear proj_;
  std::unique_ptr<Norm> norm_;
};

}  // namespace vit
