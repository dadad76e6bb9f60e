// The way from files to patch rows, step by step on one thread, and the loader with all threads: pictures a second.
// Pictures are made here: smooth shapes with a little noise, about as long to decode as a photograph.
#include <benchmark/benchmark.h>
#include <turbojpeg.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "datasets/hdf5_writer.h"
#include "datasets/loader.h"
#include "preprocess/image.h"
#include "preprocess/pipeline.h"
#include "preprocess/resize_crop.h"
#include "vit/core/buffer.h"
#include "vit/core/rng.h"

namespace {

using vit::Image;

Image make_picture(int64_t width, int64_t height, uint64_t seed = 0) {
  vit::RandomStream random(seed, vit::RandomPurpose::test);
  cv::Mat rgb = vit::new_pixels(width, height);
  const float frequency = random.uniform(8, 16) / static_cast<float>(width + height);
  uint8_t* pixel = rgb.data;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c) {
        const float wave =
            std::sin(frequency * static_cast<float>((c + 1) * x)) + std::cos(frequency * static_cast<float>(y));
        *pixel++ = static_cast<uint8_t>(128 + 50 * wave + random.uniform(-8, 8));
      }
  return vit::image_from_rgb(rgb);
}

std::vector<uint8_t> to_jpeg(const Image& image) {
  const std::unique_ptr<void, int (*)(tjhandle)> encoder(tjInitCompress(), tjDestroy);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  constexpr int kQuality = 90;
  tjCompress2(encoder.get(), image.rgb.data, image.rgb.cols, 0, image.rgb.rows, TJPF_RGB, &bytes, &size, TJSAMP_420,
              kQuality, 0);
  std::vector<uint8_t> jpeg(bytes, bytes + size);
  tjFree(bytes);
  return jpeg;
}

template <class Body>
void run(benchmark::State& state, int64_t pictures, Body body) {
  for (auto _ : state) body();
  state.counters["images/s"] =
      benchmark::Counter(static_cast<double>(pictures), benchmark::Counter::kIsIterationInvariantRate);
}

void decode_jpeg(benchmark::State& state) {
  const std::vector<uint8_t> jpeg = to_jpeg(make_picture(state.range(0), state.range(1)));
  run(state, 1, [&] { benchmark::DoNotOptimize(vit::decode_image(jpeg, "picture")); });
}

vit::PreprocessConfig photographs(vit::Interpolation interpolation) {
  vit::PreprocessConfig config;
  config.resize_size = 256;
  config.interpolation = interpolation;
  return config;
}

void resize_crop(benchmark::State& state, vit::Interpolation interpolation) {
  const Image image = make_picture(state.range(0), state.range(1));
  const vit::PreprocessConfig config = photographs(interpolation);
  run(state, 1, [&] { benchmark::DoNotOptimize(vit::resize_crop(image, config)); });
}

/// A photograph of 500 x 375 with its shorter side made 224; bench/peers/resize.py runs Pillow on the same.
void resize(benchmark::State& state, vit::Interpolation interpolation) {
  const Image image = make_picture(500, 375);
  run(state, 1, [&] { benchmark::DoNotOptimize(vit::resize(image.rgb, 298, 224, interpolation)); });
}

/// The same by OpenCV's filter that does not alias.
void resize_opencv_area(benchmark::State& state) {
  const Image image = make_picture(500, 375);
  cv::setNumThreads(1);
  run(state, 1, [&] {
    cv::Mat out;
    cv::resize(image.rgb, out, {298, 224}, 0, 0, cv::INTER_AREA);
    benchmark::DoNotOptimize(out.data);
  });
}

void patchify(benchmark::State& state) {
  const int64_t size = state.range(0), patch = state.range(1), patches = (size / patch) * (size / patch);
  const Image image = make_picture(size, size);
  const vit::PixelTable table{vit::PreprocessConfig{}};
  vit::AlignedBuffer<float> rows(3 * size * size);
  run(state, 1, [&] { vit::patchify(image, table, patch, {rows.data(), {patches, 3 * patch * patch}}); });
}

/// From the bytes of a file to patch rows.
void whole(benchmark::State& state) {
  const std::vector<uint8_t> jpeg = to_jpeg(make_picture(state.range(0), state.range(1)));
  const vit::Pipeline pipeline(photographs(vit::Interpolation::bicubic), 16);
  vit::AlignedBuffer<float> rows(pipeline.patches() * pipeline.patch_dim());
  run(state, 1, [&] {
    pipeline.prepare(vit::decode_image(jpeg, "picture"), {rows.data(), {pipeline.patches(), pipeline.patch_dim()}});
  });
}

void augment(benchmark::State& state, const vit::AugmentConfig& config) {
  const cv::Mat picture = make_picture(32, 32).rgb;
  vit::AugmentRandom random(1, 0, 0);
  run(state, 1, [&] { benchmark::DoNotOptimize(vit::augment(picture, vit::AugmentStage::square, config, random)); });
}

/// A data set of small pictures that goes when the program ends.
class SmallPictures {
 public:
  static constexpr int64_t kPictures = 8192, kSide = 32;

  SmallPictures()
      : path_(std::filesystem::temp_directory_path() / ("vit-bench-" + std::to_string(::getpid()) + ".h5")) {
    vit::Hdf5DatasetWriter writer(path_);
    auto split = writer.begin_split("train", vit::SplitFormat::pixels(kSide, kSide));
    for (int64_t i = 0; i < kPictures; ++i) {
      const cv::Mat rgb = make_picture(kSide, kSide, static_cast<uint64_t>(i)).rgb;
      split.append({rgb.data, rgb.total() * 3}, 0);
    }
    split.end();
    writer.finish({{"all"}, "bench/pipeline_bench.cpp", {}});
  }
  ~SmallPictures() { std::filesystem::remove(path_); }

  /// Kept in memory, or read from the file each time.
  std::shared_ptr<const vit::Split> split(bool in_memory) const {
    return vit::open_dataset(path_, {in_memory ? int64_t{1} << 30 : 0})->split("train");
  }

 private:
  std::filesystem::path path_;
};

/// An epoch in shuffled order, all threads.
void loader(benchmark::State& state, bool in_memory, const vit::AugmentConfig& augmentation) {
  static const SmallPictures pictures;
  const auto split = pictures.split(in_memory);
  vit::PreprocessConfig config;
  config.size = config.resize_size = SmallPictures::kSide;
  const vit::Pipeline pipeline(config, 4);
  vit::LoaderOptions options;
  options.shuffle = true;
  options.augmentation = augmentation;
  run(state, split->size(), [&] {
    vit::Loader epoch(split, pipeline, options);
    while (const vit::Batch* batch = epoch.next()) benchmark::DoNotOptimize(batch->patches.data());
  });
}

void photograph_sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"width", "height"})->Args({500, 375})->Args({1280, 960});
}

vit::AugmentConfig crop_and_flip() {
  vit::AugmentConfig config;
  config.flip = 0.5f;
  config.crop_padding = 4;
  return config;
}

vit::AugmentConfig bend() {
  vit::AugmentConfig config;
  config.rotate = 10;
  config.elastic = 1;
  return config;
}

BENCHMARK(decode_jpeg)->Apply(photograph_sizes)->Args({32, 32});
BENCHMARK_CAPTURE(resize_crop, bicubic, vit::Interpolation::bicubic)->Apply(photograph_sizes);
BENCHMARK_CAPTURE(resize_crop, bilinear, vit::Interpolation::bilinear)->Apply(photograph_sizes);
BENCHMARK_CAPTURE(resize, bilinear, vit::Interpolation::bilinear);
BENCHMARK_CAPTURE(resize, bicubic, vit::Interpolation::bicubic);
BENCHMARK_CAPTURE(resize, lanczos, vit::Interpolation::lanczos);
BENCHMARK_CAPTURE(resize, box, vit::Interpolation::box);
BENCHMARK(resize_opencv_area);
BENCHMARK(patchify)->ArgNames({"size", "patch"})->Args({224, 16})->Args({32, 4});
BENCHMARK(whole)->Apply(photograph_sizes);
BENCHMARK_CAPTURE(augment, crop_flip, crop_and_flip());
BENCHMARK_CAPTURE(augment, rotate_elastic, bend());
BENCHMARK_CAPTURE(loader, memory, true, crop_and_flip())->UseRealTime();
BENCHMARK_CAPTURE(loader, file, false, crop_and_flip())->UseRealTime();

}  // namespace
