// own_part DATA RUN: a token mixer that the library does not have, registered by this program; trains a model with it.
// It is PoolFormer's (Yu et al., arXiv:2111.11418) with one pool over all of the picture: each token is told the mean
// of the tokens of its image. vit/layers/mixer.h says what each function owes; other kinds of parts go the same way.
#include <datasets/dataset.h>
#include <infer/classifier.h>
#include <train/trainer.h>
#include <vit/layers/mixer.h>
#include <vit/model/parts.h>

#include <iostream>
#include <memory>
#include <vector>

using namespace vit;

namespace {

class PoolMixer final : public Mixer {
 public:
  explicit PoolMixer(int64_t width) : width_(width) {}

  void pack(const Packing&, const float* output_scale) override {
    scale_.assign(static_cast<size_t>(width_), 1.0f);
    if (output_scale != nullptr) scale_.assign(output_scale, output_scale + width_);
  }
  DType input_type() const override { return DType::f32; }
  Matrix plan_projected(Arena& arena, int64_t rows) const override { return arena.take(DType::f32, rows, width_); }
  State plan(Arena&, const Shard&, const Shard&) const override { return {}; }
  State plan_scratch(Arena& arena, const Shard&, const Shard& out, bool) const override {
    return arena.take(DType::f32, out.rows(), width_);
  }

  void project(ConstMatrix x, int64_t first, const Shard&, Matrix projected, const State&) const override {
    convert(x, projected.slice(first, x.rows()));
  }
  Matrix attend(ConstMatrix projected, const Shard& out, const State& scratch) const override {
    const Matrix mixed = state_of<Matrix>(scratch).slice(0, out.rows());
    pool(projected.view<const float>(), out, mixed.view<float>());
    return mixed;
  }
  void merge_add(ConstMatrix mixed, TensorView<float> y) const override {
    for (int64_t row = 0; row < y.rows(); ++row)
      for (int64_t d = 0; d < width_; ++d)
        y(row, d) += mixed.view<const float>()(row, d) * scale_[static_cast<size_t>(d)];
  }

  void forward_train(ConstMatrix x, const Shard&, const Shard& out, const State&, const State&,
                     TensorView<float> y) const override {
    pool(x.view<const float>(), out, y);
  }
  void recompute(ConstMatrix, const Shard&, const Shard&, const State&, const State&) const override {}
  void backward(TensorView<float> dy, ConstMatrix, const State&, const Shard&, const Shard& out, const Gradients&,
                const State&, TensorView<float> dx) const override {
    pool(dy, out, dx);  // the matrix of the mean is symmetric
  }
  MixerFlops flops(const Shard&, const Shard&) const override { return {}; }

 private:
  /// Every row of an image in `to` = the mean of its N rows in `from`.
  void pool(TensorView<const float> from, const Shard& out, TensorView<float> to) const {
    const int64_t tokens = out.tokens.count();
    for (int64_t row = 0; row < out.rows(); ++row) {
      const int64_t image = row / out.own();
      for (int64_t d = 0; d < width_; ++d) {
        float sum = 0;
        for (int64_t n = 0; n < tokens; ++n) sum += from(image * tokens + n, d);
        to(row, d) = sum / static_cast<float>(tokens);
      }
    }
  }

  int64_t width_;
  std::vector<float> scale_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: own_part DATA RUN\n";
    return 2;
  }
  try {
    MixerPart part;
    part.word = "pool";  // what a config says, and the stored model
    part.make = [](const ModelConfig& config, Registry&, const std::string&, const MixerPlace&) {
      return std::make_unique<PoolMixer>(config.width);
    };
    mixers().add(part);

    TrainConfig config = train_recipe("digits");
    config.epochs = 8;
    config.warmup_epochs = 1;
    config.model.mixer = "pool";
    const auto show = [](const HistoryRow& row) {
      std::cout << "epoch " << row.epoch << ": loss " << row.train_loss.value_or(0) << '\n';
    };
    train(config, *open_dataset(argv[1]), argv[2], {.force = true, .on_epoch = show});
    const auto classifier = Classifier::open(std::string(argv[2]) + "/best.h5");
    std::cout << "the model's mixer is " << classifier.model().config.mixer << '\n';
  } catch (const Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
