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
/// the same pixels. The geometry is that which made the stored pixels, and one that was chosen must be the same. Where
/// pixels were stored as they came, S x S pictures pass unchanged, and pictures in files follow the model's image size,
/// unless another geometry was chosen. Mean and std come from the config; whether EXIF turns pictures from
/// the import of a data set file, and for folders from the config. Throws Error (usage).
PreprocessConfig resolve_preprocess(const Dataset& data, const TrainConfig& given);

/// The config with defaults that nobody chose (TrainConfig::chosen) fitted to the choices, as `resolve` does.
TrainConfig fit_defaults(const TrainConfig& config);

/// The config with nothing left open: classes, architecture (of `init` where none is given) and preprocessing. Defaults
/// that nobody chose are fitted to the data, and the log says to what. Its own result is left as it is.
/// Throws Error in one line: data when model and data do not fit, usage when something that was chosen has no effect.
TrainConfig resolve(const TrainConfig& config, const Dataset& data, const Model* init = nullptr);

/// From stored pictures to the model's pixels: pixels that have been resized at import are not resized again.
Pipeline training_pipeline(const Dataset& data, const TrainConfig& resolved);

/// Images and checksum of each split that training reads: a resumed run needs the same.
nlohmann::json data_record(const Dataset& data);

/// Freshly drawn weights, or those of `init`: of its head the rows of classes with the same name; the log says which.
/// Where `init` has no names, its head is kept by position when it has as many classes.
Model make_initial_model(const TrainConfig& resolved, const Dataset& data, const Model* init = nullptr);

}  // namespace vit
