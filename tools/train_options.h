// The options of `vit train` that set a field of TrainConfig.
#pragma once

#include <CLI/App.hpp>

#include "train/config.h"

namespace vit::tools {

/// Adds --model and one option a row of the tables that has one; those that are given are put into `choices`.
void add_train_config_options(CLI::App& command, TrainChoices& choices);

}  // namespace vit::tools
