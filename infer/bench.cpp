#include "infer/bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "infer/text_format.h"
#include "vit/core/cpu.h"
#include "vit/core/parallel.h"
#include "vit/core/rng.h"
#include "vit/core/text.h"
#include "vit/kernels/peak.h"
#include "vit/model/flops.h"

namespace vit {

double percentile(std::vector<double> values, double percent) {
  if (values.empty()) fail(ErrorKind::usage, "[bench] percentile of no values");
  const double rank = std::ceil(percent / 100 * static_cast<double>(values.size()));
  const std::size_t place = static_cast<std::size_t>(std::max(1.0, rank)) - 1;
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(std::min(place, values.size() - 1));
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

BenchResult measure(const BenchOptions& options, const std::function<void()>& step) {
  using Clock = std::chrono::steady_clock;
  for (int64_t i = 0; i < options.warmup_steps; ++i) step();
  if (options.profile) start_profile();
  std::vector<double> milliseconds;
  double total = 0;
  while (milliseconds.empty() || total < options.seconds) {
    const auto begin = Clock::now();
    step();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    milliseconds.push_back(1000 * seconds);
    total += seconds;
  }
  BenchResult result;
  if (options.profile) result.profile = stop_profile();
  result.seconds = total;
  result.steps = static_cast<int64_t>(milliseconds.size());
  const double images = static_cast<double>(result.steps * options.images_per_step);
  result.images_per_second = total > 0 ? images / total : 0;
  result.p50_ms = percentile(milliseconds, 50);
  result.p95_ms = percentile(milliseconds, 95);
  result.p99_ms = percentile(milliseconds, 99);
  result.gflop_per_image = options.flops_per_image / 1e9;
  result.gflop_per_image_all_tokens = options.flops_per_image_all_tokens / 1e9;
  result.gflops = result.gflop_per_image * result.images_per_second;
  result.peak_rss_mb = static_cast<double>(peak_resident_bytes()) / (1 << 20);
  return result;
}

BenchResult bench_inference(const OpenModel& model, const EngineOptions& engine_options, int64_t batch,
                            const BenchOptions& bench_options) {
  const ModelConfig& config = model.model.config;
  if (batch < 1) fail(ErrorKind::usage, "[bench] batch: needs at least 1, has ", batch);
  Engine engine(model.model, model.weights, engine_options);
  AlignedBuffer<float> patches(batch * config.patches() * config.patch_dim());
  RandomStream noise(0, RandomPurpose::test);
  for (float& x : patches.span()) x = noise.uniform(-1, 1);
  AlignedBuffer<float> results(batch * std::max(config.classes, config.feature_width()));
  EngineOutputs outputs;
  if (config.classes > 0)
    outputs.logits = TensorView<float>(results.data(), {batch, config.classes});
  else
    outputs.embeddings = TensorView<float>(results.data(), {batch, config.feature_width()});
  const TensorView<const float> input(patches.data(), {batch, config.patches(), config.patch_dim()});

  BenchOptions options = bench_options;
  options.images_per_step = batch;
  options.flops_per_image = forward_flops(config).total();
  options.flops_per_image_all_tokens = forward_flops(config, LastBlock::all_tokens).total();
  return measure(options, [&] { engine.run(input, outputs); });
}

double peak_gflops_of_all_threads(DType dtype) {
  std::vector<double> peaks(static_cast<std::size_t>(thread_count()));
  parallel_for(thread_count(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) peaks[static_cast<std::size_t>(i)] = measured_peak_gflops(dtype);
  });
  return std::accumulate(peaks.begin(), peaks.end(), 0.0);
}

std::string profile_text(const BenchResult& result, const BenchContext& context) {
  const double steps = static_cast<double>(result.steps), all = result.seconds * context.threads;
  std::string text = concat(pad_right("part", 24), pad_left("calls", 9), pad_left("ms", 10), pad_left("share", 9),
                            pad_left("GFLOP/s", 10), pad_left("of peak", 9), "   (a step; GFLOP/s of one thread)\n");
  const auto line = [&](const std::string& name, const std::string& calls, double seconds, double flops) {
    text += concat(pad_right(name, 24), pad_left(calls, 9), pad_left(fixed(1e3 * seconds / steps, 3), 10),
                   pad_left(percent(seconds / all, 1), 9));
    if (flops > 0)
      text += concat(pad_left(fixed(flops / seconds / 1e9, 1), 10),
                     pad_left(percent(flops / seconds / 1e9 * context.threads / context.peak_gflops, 1), 9));
    text += '\n';
  };
  double known = 0;
  for (const ProfileEntry& entry : result.profile) {
    line(entry.name, fixed(static_cast<double>(entry.calls) / steps, 0), entry.seconds, entry.flops);
    known += entry.seconds;
  }
  line("the rest, idle threads", "", all - known, 0);
  return text;
}

nlohmann::ordered_json bench_json(const BenchResult& result, const BenchContext& context) {
  return {{"model", printable(context.model)},
          {"dtype", dtype_name(context.dtype)},
          {"batch", context.batch},
          {"threads", context.threads},
          {"train", context.train},
          {"images_per_second", result.images_per_second},
          {"latency_ms", {{"p50", result.p50_ms}, {"p95", result.p95_ms}, {"p99", result.p99_ms}}},
          {"gflops", result.gflops},
          {"peak_gflops", context.peak_gflops},
          {"peak_rss_mb", result.peak_rss_mb},
          {"gflop_per_image", result.gflop_per_image},
          {"gflop_per_image_all_tokens", result.gflop_per_image_all_tokens}};
}

}  // namespace vit
