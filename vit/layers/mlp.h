// Two Linears with GELU between.
#pragma once

#include <string>

#include "vit/kernels/gelu.h"
#include "vit/layers/two_linears.h"

namespace vit {

class Mlp final : public TwoLinears {
 public:
  struct Options {
    int64_t width = 0;
    int64_t hidden = 0;  // F
    Activation activation = Activation::gelu_erf;
    int dropout_site = 0;  // first of two
    bool product = true;   // as in ParameterRole, of the weights
    MakeNorm norm = {};    // as in TwoLinears
  };
  /// Registers `<name>.fc1`, norm and `<name>.fc2`.
  Mlp(Registry& registry, const std::string& name, const Options& o)
      : TwoLinears(registry, name,
                   {.width = o.width,
                    .hidden = o.hidden,
                    .dropout_site = o.dropout_site,
                    .product = o.product,
                    .norm = o.norm}),
        activation_(o.activation) {}

 private:
  void activate(ConstMatrix hidden, Matrix y, float scale) const override {
    const ProfileScope profile("gelu");
    gelu_forward(hidden, activation_, y, scale);
  }
  void activate_backward(ConstMatrix dy, ConstMatrix hidden, Matrix dhidden) const override {
    const ProfileScope profile("gelu backward");
    gelu_backward(dy, hidden, activation_, dhidden);
  }

  Activation activation_;
};

}  // namespace vit
