// AdamW over flat blocks: Loshchilov and Hutter, arXiv:1711.05101, with the arithmetic of torch.optim.AdamW.
#pragma once

#include <cstdint>

namespace vit {

struct AdamwStep {
  float lr = 1e-3f;
  float beta1 = 0.9f;
  float beta2 = 0.999f;
  float eps = 1e-8f;
  float weight_decay = 0;
  float grad_scale = 1;  // gradients are multiplied by it first (clipping)
  int64_t step = 1;      // counts from 1, for the bias correction
};

/// p -= lr * weight_decay * p, then the Adam update; m, v are the running moments. `count` contiguous elements,
/// on the calling thread; element by element, so any cut of the block gives the same bits.
void adamw_update(const AdamwStep& step, const float* grad, int64_t count, float* p, float* m, float* v);

}  // namespace vit
