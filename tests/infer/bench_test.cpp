#include "infer/bench.h"

#include <gtest/gtest.h>

#include "vit/core/cpu.h"
#include "vit/core/error.h"

namespace vit {
namespace {

TEST(Percentile, IsTheNearestRank) {
  // The example that textbooks give for the nearest-rank method.
  const std::vector<double> values{50, 15, 40, 20, 35};
  EXPECT_EQ(percentile(values, 5), 15);
  EXPECT_EQ(percentile(values, 30), 20);
  EXPECT_EQ(percentile(values, 40), 20);
  EXPECT_EQ(percentile(values, 50), 35);
  EXPECT_EQ(percentile(values, 100), 50);
  EXPECT_EQ(percentile({7}, 99), 7);
  EXPECT_THROW(percentile({}, 50), Error);
}

TEST(Measure, CountsStepsWithoutWarmUp) {
  BenchOptions options;
  options.seconds = 0;
  options.warmup_steps = 3;
  options.images_per_step = 4;
  options.flops_per_image = 1e9;
  options.flops_per_image_all_tokens = 2e9;
  int calls = 0;
  const BenchResult result = measure(options, [&] { ++calls; });
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(result.steps, 1);
  EXPECT_GT(result.images_per_second, 0);
  EXPECT_DOUBLE_EQ(result.gflops, result.images_per_second);
  EXPECT_DOUBLE_EQ(result.gflop_per_image, 1);
  EXPECT_DOUBLE_EQ(result.gflop_per_image_all_tokens, 2);
  EXPECT_LE(result.p50_ms, result.p99_ms);
  // One step is all of the time.
  EXPECT_DOUBLE_EQ(result.p50_ms, 1000 * result.seconds);
  EXPECT_DOUBLE_EQ(result.images_per_second, 4 / result.seconds);
  EXPECT_NEAR(result.peak_rss_mb, static_cast<double>(peak_resident_bytes()) / 1024 / 1024, 1);
}

// Two steps of half a second on two threads: two seconds of work to share out.
TEST(ProfileText, HasStepsSharesAndRates) {
  BenchResult result;
  result.steps = 2;
  result.seconds = 1;
  result.profile = {{.name = "gemm", .calls = 8, .seconds = 0.5, .flops = 1e10},
                    {.name = "softmax", .calls = 4, .seconds = 0.25, .flops = 0}};
  BenchContext context;
  context.threads = 2;
  context.peak_gflops = 100;
  EXPECT_EQ(profile_text(result, context),
            "part                        calls        ms    share   GFLOP/s  of peak"
            "   (a step; GFLOP/s of one thread)\n"
            "gemm                            4   250.000   25.0 %      20.0   40.0 %\n"
            "softmax                         2   125.000   12.5 %\n"
            "the rest, idle threads              625.000   62.5 %\n");
}

TEST(BenchJson, HasTheFieldsOfTheContract) {
  BenchResult result;
  result.images_per_second = 100;
  result.p50_ms = 1;
  result.p95_ms = 2;
  result.p99_ms = 3;
  result.gflops = 5;
  result.peak_rss_mb = 64;
  result.gflop_per_image = 0.05;
  result.gflop_per_image_all_tokens = 0.06;
  BenchContext context;
  context.model = "vit_tiny_patch16_224";
  context.batch = 16;
  context.threads = 2;
  context.peak_gflops = 10;
  EXPECT_EQ(bench_json(result, context).dump(),
            R"({"model":"vit_tiny_patch16_224","dtype":"fp32","batch":16,"threads":2,"train":false,)"
            R"("images_per_second":100.0,"latency_ms":{"p50":1.0,"p95":2.0,"p99":3.0},"gflops":5.0,)"
            R"("peak_gflops":10.0,"peak_rss_mb":64.0,"gflop_per_image":0.05,"gflop_per_image_all_tokens":0.06})");
}

}  // namespace
}  // namespace vit
