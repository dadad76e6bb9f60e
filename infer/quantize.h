// A trained model to int8: calibration, smoothing, and the check of what it costs.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/dataset.h"
#include "infer/calibration.h"
#include "vit/model/model_file.h"

namespace vit {

struct QuantizeOptions {
  int64_t images = 512;     // to calibrate with, of train where that is not the evaluated split
  std::string split;        // to evaluate; empty = default_eval_split
  int64_t eval_images = 0;  // at most so many of it; 0 = all
  ClipRule clip = ClipRule::mse;
  float migration = 0.5f;   // of smooth()
  double max_loss = 0.001;  // of top-1, as a fraction: weights go back to bf16 until it is not exceeded
  uint64_t seed = 0;        // of the choice of pictures
  int64_t batch = 0;        // pictures at a time; 0 = by the model's size
  std::string data_name;    // for the record
  std::function<void(std::string_view phase, int64_t done, int64_t total)> progress = {};
};

struct Accuracy {
  double top1 = 0, top5 = 0;  // fractions
  double loss = 0;            // mean cross-entropy
};

/// How far logits are from those of the fp32 model.
struct LogitError {
  double kl = 0;           // mean Kullback-Leibler divergence of the probabilities from the fp32 ones, in nats
  double relative_l2 = 0;  // |difference| / |fp32 logits|, over all pictures
  double agreement = 0;    // share of pictures with the same answer
};
/// Both [B, C]. Throws Error (internal) for other shapes.
LogitError compare_logits(TensorView<const float> fp32, TensorView<const float> other);

/// What int8 of one weight alone, all others in bf16, does to the logits.
struct Sensitivity {
  std::string weight;
  LogitError error;
};

struct QuantizeResult {
  Model model;  // quantised, the record included; its weights are smoothed but still floats
  std::string calibration_split, eval_split;
  int64_t calibration_images = 0, eval_images = 0;
  Accuracy before, after;
  LogitError error;
  std::vector<std::string> in_bf16;      // weights that were put back
  std::vector<Sensitivity> sensitivity;  // most sensitive first; empty where nothing had to be put back
};

/// Quantises all weights of the blocks; where that costs more top-1 than allowed, the fewest of the most sensitive that
/// must go back to bf16 do (by bisection). Calibration and evaluation have no picture in common. Throws Error (usage)
/// when the processor has no int8 arithmetic, the model is quantised already, or the data too small; Error (data) when
/// the data does not fit or nothing is left in int8.
QuantizeResult quantize(const Model& model, const Dataset& data, const QuantizeOptions& options);

/// A table of before and after, and the weights in bf16.
std::string quantize_text(const QuantizeResult& result);
/// The record in the model file and the fields of `model quantize --json` (docs/formats.md).
nlohmann::ordered_json quantize_json(const QuantizeResult& result, const QuantizeOptions& options);

}  // namespace vit
