// The options of `vit train` that set a field of TrainConfig.
#pragma once

#include <CLI/App.hpp>
#include <nlohmann/json.hpp>

namespace vit::tools {

/// Adds one option a field; those that are given are put into `overrides`, in the form of RUN/config.json.
void add_train_config_options(CLI::App& command, nlohmann::json& overrides);

}  // namespace vit::tools
