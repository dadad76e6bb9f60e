// Fits a run to its data: which pixels the model sees, which architecture, how many classes.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "datasets/dataset.h"
#include "preprocess/pipeline.h"
#include "train/config.h"
#include "vit/model/model_file.h"

namespace vit {

/// What the model file will carry, so that the folder which the data set was imported from is later classified with
/// the same pixels. The geometry is that which made the stored pixels; where they were stored as they came, S x S
/// pictures pass unchanged; where the pictures have many sizes, the config's geometry for the model's image size.
/// Mean and std come from the config.
PreprocessConfig resolve_preprocess(const Dataset& data, const TrainConfig& config);

/// The config with nothing left open: classes, architecture (of `init` where none is given) and preprocessing.
/// Throws Error (data) in one line when model and data do not fit.
TrainConfig resolve(const TrainConfig& config, const Dataset& data, const Model* init = nullptr);

/// From stored pictures to the model's pixels: pixels that have been resized at import are not resized again.
Pipeline training_pipeline(const Dataset& data, const TrainConfig& resolved);

/// Class names, images and checksum of each split that training reads: a resumed run needs the same.
nlohmann::json data_record(const Dataset& data);

/// Freshly drawn weights, or those of `init` with a new head where the number of classes differs.
Model make_initial_model(const TrainConfig& resolved, const Dataset& data, const Model* init = nullptr);

}  // namespace vit
