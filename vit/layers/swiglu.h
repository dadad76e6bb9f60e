// Gated feed-forward: fc2(silu(gate) * value), gate and value from one Linear. Shazeer, arXiv:2002.05202.
#pragma once

#include <string>

#include "vit/kernels/gated.h"
#include "vit/layers/two_linears.h"

namespace vit {

class SwiGlu final : public TwoLinears {
 public:
  struct Options {
    int64_t width = 0;
    int64_t hidden = 0;    // F, behind the gate
    int dropout_site = 0;  // first of two
    MakeNorm norm = {};    // as in TwoLinears
  };
  /// Registers `<name>.fc1` [2F, D], gates first, norm and `<name>.fc2` [D, F].
  SwiGlu(Registry& registry, const std::string& name, const Options& o)
      : TwoLinears(registry, name,
                   {.width = o.width, .hidden = o.hidden, .parts = 2, .dropout_site = o.dropout_site, .norm = o.norm}) {
    // A gate multiplies what is linear in the value.
    if (!has_norm()) registry.channels({fc1().outputs_from(o.hidden), fc2().weight()});
  }

 private:
  void activate(ConstMatrix hidden, Matrix y, float scale) const override {
    const ProfileScope profile("swiglu");
    swiglu_forward(hidden, y, scale);
  }
  void activate_backward(ConstMatrix dy, ConstMatrix hidden, Matrix dhidden) const override {
    const ProfileScope profile("swiglu backward");
    swiglu_backward(dy, hidden, dhidden);
  }
};

}  // namespace vit
