// Norms inside the branches of a block: of the heads' outputs, and inside the feed-forward.
#include <gtest/gtest.h>

#include "tests/support/part_check.h"

namespace vit {
namespace {

TEST(Part, AttentionNorm) {
  for (const char* norm : {"layernorm", "rmsnorm"})
    for (const char* pooling : {"token", "avg"}) {
      SCOPED_TRACE(testing::Message() << norm << ' ' << pooling);
      ModelConfig config = test::small_network();
      config.norm = norm;
      config.pooling = pooling;
      config.attention_norm = true;
      test::expect_sound(config);
    }
}

TEST(Part, MlpNorm) {
  for (const char* norm : {"layernorm", "rmsnorm"})
    for (const char* mlp : {"mlp", "swiglu"}) {
      SCOPED_TRACE(testing::Message() << norm << ' ' << mlp);
      ModelConfig config = test::small_network();
      config.norm = norm;
      config.mlp = mlp;
      config.mlp_norm = true;
      test::expect_sound(config);
    }
}

TEST(Part, QuickGelu) {
  ModelConfig config = test::small_network();
  config.activation = Activation::quick_gelu;
  test::expect_sound(config);
}

/// Whether smoothing may shrink the channels that a matrix reads, and what makes them.
std::string source_of(const ModelConfig& config, const std::string& reader) {
  const ParameterLayout layout = parameter_layout(config);
  for (const Channels& channels : layout.channels())
    if (layout[channels.reader].name == reader) return layout[channels.sources.front().parameter].name;
  return "";
}

TEST(Part, ChannelsOfBranchNormsMayShrink) {
  ModelConfig config = test::small_network();
  EXPECT_EQ(source_of(config, "blocks.0.attn.proj.weight"), "blocks.0.attn.qkv.weight");
  EXPECT_EQ(source_of(config, "blocks.0.mlp.fc2.weight"), "");
  config.attention_norm = config.mlp_norm = true;
  for (const char* mlp : {"mlp", "swiglu"}) {
    config.mlp = mlp;
    EXPECT_EQ(source_of(config, "blocks.0.attn.proj.weight"), "blocks.0.attn.norm.weight");
    EXPECT_EQ(source_of(config, "blocks.0.mlp.fc2.weight"), "blocks.0.mlp.norm.weight");
  }
}

}  // namespace
}  // namespace vit
