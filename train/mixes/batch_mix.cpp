#include "train/mixes/batch_mix.h"

#include "vit/core/name_hash.h"

namespace vit {

bool mixup_is_active(const TrainConfig& config);
void mixup(const TrainConfig& config, RandomStream& random, MixBatch& batch);

namespace {

constexpr BatchMixEntry kMixes[] = {
    // name, whether the config asks for it, what it does
    {"mixup", mixup_is_active, mixup},
};

}  // namespace

BatchMix::BatchMix(const TrainConfig& config) : config_(config) {
  for (const BatchMixEntry& mix : kMixes)
    if (mix.active(config_)) active_.push_back(&mix);
}

Targets BatchMix::apply(Batch& batch, int64_t row, int64_t epoch, int64_t number) {
  Targets targets{.labels = batch.labels.data()};
  if (active_.empty()) return targets;
  const auto images = static_cast<std::size_t>(batch.size);
  second_.assign(batch.labels.begin(), batch.labels.end());
  share_.assign(images, 1.0f);
  MixBatch mixed{{batch.patches.data(), {batch.size, row}}, batch.labels.data(), second_, share_};
  for (const BatchMixEntry* mix : active_) {
    RandomStream random(config_.seed, RandomPurpose::mix, static_cast<uint64_t>(epoch),
                        (uint64_t{name_hash<uint32_t>(mix->name)} << 32) | static_cast<uint64_t>(number));
    mix->apply(config_, random, mixed);
  }
  targets.second = second_.data();
  targets.share = share_.data();
  return targets;
}

}  // namespace vit
