// Time of repeated steps: throughput, latency and share of the machine's peak.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "infer/engine.h"
#include "vit/core/profile.h"
#include "vit/model/model_file.h"

namespace vit {

struct BenchOptions {
  bool profile = false;      // also says where the time goes
  double seconds = 5;        // of measurement, at least one step
  int64_t warmup_steps = 2;  // before it
  int64_t images_per_step = 1;
  double flops_per_image = 0;             // that are computed; 0 = no GFLOP/s
  double flops_per_image_all_tokens = 0;  // that an engine computes whose last block leaves no token out
};

struct BenchResult {
  int64_t steps = 0;
  double images_per_second = 0;  // all images over all time
  double p50_ms = 0;             // of a step: the smallest time that this share of the steps does not exceed
  double p95_ms = 0;
  double p99_ms = 0;
  double gflops = 0;           // GFLOP/s, of what is computed
  double gflop_per_image = 0;  // as BenchOptions has them, in units of 1e9
  double gflop_per_image_all_tokens = 0;
  double peak_rss_mb = 0;  // of the process so far
  double seconds = 0;      // of all steps
  std::vector<ProfileEntry> profile;
};

BenchResult measure(const BenchOptions& options, const std::function<void()>& step);

/// Inference of `batch` pictures of noise at a time; what is an image's work comes from the model.
BenchResult bench_inference(const OpenModel& model, const EngineOptions& engine, int64_t batch,
                            const BenchOptions& options);

/// GFLOP/s that all threads together reach at once with multiply-adds in registers.
double peak_gflops_of_all_threads(DType dtype);

/// What was measured.
struct BenchContext {
  std::string model;
  DType dtype = DType::f32;
  int64_t batch = 1;
  int threads = 1;
  bool train = false;
  double peak_gflops = 0;  // of all threads, in that dtype
};

/// The fields of `bench --json` (docs/cli.md).
nlohmann::ordered_json bench_json(const BenchResult& result, const BenchContext& context);

/// A table of the profile: calls and time a step, share of all threads' time, GFLOP/s of the threads in it.
std::string profile_text(const BenchResult& result, const BenchContext& context);

/// The smallest value that at least `percent` of the values do not exceed (nearest rank); values need no order.
double percentile(std::vector<double> values, double percent);

}  // namespace vit
