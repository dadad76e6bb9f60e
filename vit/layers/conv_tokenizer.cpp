#include "vit/layers/conv_tokenizer.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "vit/kernels/convolution.h"
#include "vit/kernels/max_pool.h"
#include "vit/kernels/relu.h"

namespace vit {
namespace {

Windows convolution_of(const ConvTokenizer::Options& o, int64_t height, int64_t width) {
  return {.height = height, .width = width, .side = o.kernel, .stride = o.stride, .padding = o.kernel / 2};
}

Windows pooling_of(const Windows& convolution) {
  return {.height = convolution.out_height(), .width = convolution.out_width(), .side = 3, .stride = 2, .padding = 1};
}

Linear make_linear(Registry& registry, const ConvTokenizer::Options& o, int64_t layer) {
  const int64_t in = layer == 0 ? o.channels : o.hidden, out = layer == o.layers - 1 ? o.width : o.hidden;
  const int64_t fan_in = in * o.kernel * o.kernel;
  return Linear(registry, concat("tokenizer.conv_layers.", layer, ".0"), fan_in, out,
                {.bias = false,
                 .weight_shape = {out, in, o.kernel, o.kernel},
                 .weight_draw = Draw::truncated_normal(std::sqrt(2 / static_cast<float>(fan_in)))});
}

}  // namespace

Tokens ConvTokenizer::grid(const Options& o) {
  int64_t side = o.image_size;
  for (int64_t i = 0; i < o.layers && side > 0; ++i) side = pooling_of(convolution_of(o, side, side)).out_height();
  return {.prefix = 0, .rows = std::max<int64_t>(side, 0), .cols = std::max<int64_t>(side, 0)};
}

ConvTokenizer::ConvTokenizer(Registry& registry, const Options& options) : options_(options) {
  int64_t side = options.image_size;
  for (int64_t i = 0; i < options.layers; ++i) {
    const Windows convolution = convolution_of(options, side, side), pooling = pooling_of(convolution);
    layers_.push_back({convolution, pooling, make_linear(registry, options, i)});
    side = pooling.out_height();
  }
}

void ConvTokenizer::pack(const Packing& packing) {
  for (Layer& layer : layers_) layer.linear.pack(packing);
}

State ConvTokenizer::plan_scratch(Arena& arena, int64_t images, bool training) const {
  Scratch scratch;
  scratch.kept = training;
  const int64_t kept = training ? images : 1;
  for (int64_t i = 0; i < options_.layers; ++i) {
    const Layer& layer = layers_[static_cast<std::size_t>(i)];
    const DType type = layer.linear.type();
    const int64_t in = i == 0 ? options_.channels : options_.hidden;
    const int64_t out = i == options_.layers - 1 ? options_.width : options_.hidden;
    const int64_t rows = kept * layer.convolution.out_pixels(), columns = in * layer.convolution.taps();
    LayerScratch own;
    own.columns = arena.take(type, rows, columns);
    own.activated = arena.take(type, rows, out);
    own.pooled = arena.take(type, kept * layer.pooling.out_pixels(), out);
    if (training) {
      own.winners = arena.take(DType::i8, own.pooled.rows(), out);
      own.dactivated = arena.take(type, rows, out);
      own.dpooled = arena.take(type, own.pooled.rows(), out);
      if (i > 0) own.dcolumns = arena.take(type, rows, columns);
    }
    scratch.layers.push_back(own);
  }
  scratch.tokens = arena.take<float>({layers_.back().pooling.out_pixels(), options_.width});
  return scratch;
}

void ConvTokenizer::forward_add(TensorView<const float> pixels, int64_t image, int64_t, int64_t, const State& state,
                                TensorView<float> x) const {
  const auto& scratch = state_of<Scratch>(state);
  const int64_t place = scratch.kept ? image : 0, input = layers_.front().convolution.pixels();
  ConstMatrix before = pixels.slice(image * input, input);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    const LayerScratch& own = scratch.layers[i];
    const auto of_image = [&](const Matrix& all, int64_t rows) { return all ? all.slice(place * rows, rows) : all; };
    const int64_t convolved = layer.convolution.out_pixels(), pooled = layer.pooling.out_pixels();
    const Matrix columns = of_image(own.columns, convolved), activated = of_image(own.activated, convolved);
    const Matrix out = of_image(own.pooled, pooled);
    im2col(before, layer.convolution, columns);
    layer.linear.forward(columns, activated);
    relu_forward(activated, activated);
    max_pool_forward(activated, layer.pooling, out, of_image(own.winners, pooled));
    before = out;
  }
  convert(before, scratch.tokens);
  for (int64_t t = 0; t < x.rows(); ++t) add_to(scratch.tokens[t].data(), options_.width, x[t].data());
}

void ConvTokenizer::backward(TensorView<const float> dx, TensorView<const float>, const Shard& shard,
                             const Gradients& gradients, const State& state) const {
  const auto& scratch = state_of<Scratch>(state);
  const int64_t tokens = shard.tokens.count(), grid = shard.tokens.patches(), images = shard.images;
  for (int64_t b = 0; b < images; ++b)
    convert(dx.slice(b * tokens + shard.tokens.prefix, grid), scratch.layers.back().dpooled.slice(b * grid, grid));
  for (std::size_t i = layers_.size(); i-- > 0;) {
    const Layer& layer = layers_[i];
    const LayerScratch& own = scratch.layers[i];
    const auto used = [&](const Matrix& all, int64_t rows) { return all ? all.slice(0, images * rows) : all; };
    const int64_t convolved = layer.convolution.out_pixels(), pooled = layer.pooling.out_pixels();
    const Matrix dactivated = used(own.dactivated, convolved), dcolumns = used(own.dcolumns, convolved);
    max_pool_backward(used(own.dpooled, pooled), layer.pooling, used(own.winners, pooled), dactivated);
    relu_backward(dactivated, used(own.activated, convolved), dactivated);
    layer.linear.backward(dactivated, used(own.columns, convolved), shard, gradients, dcolumns);
    if (i > 0) col2im(dcolumns, layer.convolution, used(scratch.layers[i - 1].dpooled, layer.convolution.pixels()));
  }
}

double ConvTokenizer::flops() const {
  double sum = 0;
  for (const Layer& layer : layers_) sum += layer.linear.flops(layer.convolution.out_pixels());
  return sum;
}

}  // namespace vit
