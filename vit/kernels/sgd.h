// Stochastic gradient descent with momentum over flat blocks, with the arithmetic of torch.optim.SGD without dampening.
// Nesterov's form: Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013.
#pragma once

#include <cstdint>

namespace vit {

struct SgdStep {
  float lr = 1e-2f;
  float momentum = 0;
  bool nesterov = false;
  float weight_decay = 0;  // added to the gradient
  float grad_scale = 1;    // gradients are multiplied by it first (clipping)
};

/// g = grad_scale * grad + weight_decay * p;  v = momentum * v + g;  p -= lr * (nesterov ? g + momentum * v : v).
/// `v` is zero before the first step; without momentum it may be null and is left alone. `count` contiguous elements,
/// on the calling thread; element by element, so any cut of the block gives the same bits. Throws Error (internal) for
/// nesterov without momentum, as torch does, and momentum without v.
void sgd_update(const SgdStep& step, const float* grad, int64_t count, float* p, float* v);

}  // namespace vit
