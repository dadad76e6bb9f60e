#include "train/checkpoint.h"

#include <cmath>
#include <span>

#include "vit/core/error.h"
#include "vit/core/json_fields.h"
#include "vit/core/json_text.h"
#include "vit/io/atomic_file.h"
#include "vit/io/hdf5.h"

namespace vit {
namespace {

using nlohmann::json;

constexpr const char* kCounters = "/checkpoint/counters";
constexpr const char* kHistory = "/checkpoint/history";

void write_block(h5::File& file, const std::string& group, const ParameterLayout& layout, const ParameterBlock& block) {
  for (const Parameter& p : layout.all()) {
    file.write(group + "/" + p.name, p.shape, std::span<const float>(at(block, p), static_cast<std::size_t>(p.count)));
  }
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text;
  for (int64_t n : shape) text += concat(text.empty() ? "" : " x ", n);
  return text.empty() ? "a single number" : text;
}

ParameterBlock read_block(const h5::File& file, const std::string& group, const ParameterLayout& layout) {
  ParameterBlock block(layout.block_size());
  for (const Parameter& p : layout.all()) {
    const std::string name = group + "/" + p.name;
    const h5::DatasetInfo info = file.info(name);
    if (info.type != h5::Type::f32 || info.shape != p.shape) {
      fail(ErrorKind::data, "[checkpoint] ", name, " in ", file.path().string(), ": needs 32-bit floats of shape ",
           shape_text(p.shape), ", has ", info.type == h5::Type::f32 ? "" : "another type of ", "shape ",
           shape_text(info.shape), "; was it made with another model?");
    }
    file.read(name, std::span<float>(at(block, p), static_cast<std::size_t>(p.count)));
  }
  return block;
}

json counters_json(const TrainState& state) {
  const RunCounters& c = state.counters;
  return {{"epoch", c.epoch},
          {"step", c.step},
          {"batches", c.batches},
          {"loss_sum", c.loss_sum},
          {"images", c.images},
          {"images_seen", c.images_seen},
          {"epoch_nonfinite", c.epoch_nonfinite},
          {"train_seconds", c.train_seconds},
          {"nonfinite_steps", c.nonfinite_steps},
          {"nonfinite_in_a_row", c.nonfinite_in_a_row},
          {"best_value", optional_json(c.best_value)},
          {"best_epoch", c.best_epoch},
          {"epochs_without_better", c.epochs_without_better},
          {"updates", state.optimizer.updates},
          {"average", state.raw.size() > 0}};
}

RunCounters counters_from_json(const JsonFields& fields) {
  RunCounters c;
  c.epoch = fields.count("epoch");
  c.step = fields.count("step");
  c.batches = fields.count("batches");
  c.loss_sum = fields.real("loss_sum");
  c.images = fields.count("images");
  c.images_seen = fields.count("images_seen");
  c.epoch_nonfinite = fields.count("epoch_nonfinite");
  c.train_seconds = fields.real("train_seconds");
  c.nonfinite_steps = fields.count("nonfinite_steps");
  c.nonfinite_in_a_row = fields.count("nonfinite_in_a_row");
  c.best_value = fields.optional_real("best_value");
  c.best_epoch = fields.count("best_epoch");
  c.epochs_without_better = fields.count("epochs_without_better");
  return c;
}

std::vector<HistoryRow> read_history(const h5::File& file, int64_t epochs) {
  const std::string where = concat(kHistory, " in ", file.path().string());
  std::vector<HistoryRow> rows;
  if (epochs > 0) {
    for (const std::string& text : file.read_texts(kHistory)) {
      rows.push_back(history_row_from_json(parse_json(text, "checkpoint", where), where));
    }
  }
  if (static_cast<int64_t>(rows.size()) != epochs) {
    fail(ErrorKind::data, "[checkpoint] history: needs ", epochs, " rows (one an epoch), has ", rows.size(), " (",
         where, ")");
  }
  return rows;
}

void write_history_rows(h5::File& file, const std::vector<HistoryRow>& rows) {
  if (rows.empty()) return;
  std::vector<std::string> texts;
  texts.reserve(rows.size());
  for (const HistoryRow& row : rows) texts.push_back(json_text(to_json(row)));
  file.write_texts(kHistory, texts);
}

void check_config(const Model& model, const TrainConfig& config, const std::string& where) {
  const JsonFields training(model.training, "checkpoint", where);
  json wanted = complete_json(config);
  if (!training.field("config").is_object()) training.reject_field("config", "an object");
  const TrainConfig defaults;
  json has = complete_json(defaults);  // of fields that the file leaves out
  has.merge_patch(training.field("config"));
  wanted.erase("save_every_steps");
  has.erase("save_every_steps");
  const std::string difference = first_difference(wanted, has);
  if (!difference.empty()) {
    fail(ErrorKind::data, "[checkpoint] ", difference, " in ", where,
         "; a run goes on with the options it began with, start another run to change them");
  }
}

}  // namespace

std::string first_difference(const json& wanted, const json& has) {
  if (!wanted.is_object() || !has.is_object()) {
    return wanted == has ? std::string() : concat(": needs ", json_text(wanted), ", has ", json_text(has));
  }
  const auto inside = [](const std::string& key, const std::string& rest) {
    return rest.front() == ':' ? key + rest : key + "." + rest;
  };
  for (const auto& [key, value] : wanted.items()) {
    const auto found = has.find(key);
    if (found == has.end()) return key + ": is missing";
    const std::string rest = first_difference(value, *found);
    if (!rest.empty()) return inside(key, rest);
  }
  for (const auto& [key, value] : has.items()) {
    if (!wanted.contains(key)) return key + ": unknown field";
  }
  return {};
}

void save_checkpoint(const std::filesystem::path& path, const TrainState& state) {
  write_atomically(path, [&state](const std::filesystem::path& temporary) {
    h5::File file = h5::File::create(temporary);
    const ParameterLayout& layout = state.model.layout;
    write_model(file, state.model);
    if (state.raw.size() > 0) write_block(file, "/raw", layout, state.raw);
    for (const OptimizerState::Block& block : state.optimizer.blocks)
      write_block(file, "/optimizer/" + block.name, layout, block.values);
    file.write_text(kCounters, json_text(counters_json(state)));
    write_history_rows(file, state.counters.history);
    file.close();
  });
}

TrainState load_checkpoint(const std::filesystem::path& path, const TrainConfig& config) {
  const h5::File file = h5::File::open(path);
  const std::string where = path.string();
  TrainState state;
  state.model = load_model(file);
  if (!file.exists(kCounters)) {
    fail(ErrorKind::data, "[checkpoint] ", kCounters, " is missing in ", where,
         "; is it a model and not a checkpoint?");
  }
  check_config(state.model, config, where);

  const std::string counters_where = concat(kCounters, " in ", where);
  const json counters = parse_json(file.read_text(kCounters), "checkpoint", counters_where);
  const JsonFields fields(counters, "checkpoint", counters_where);
  state.counters = counters_from_json(fields);
  if (state.counters.epoch > config.epochs) fields.reject_field("epoch", concat("at most ", config.epochs));
  state.optimizer.updates = fields.count("updates");
  if (state.optimizer.updates > state.counters.step)
    fields.reject_field("updates", concat("at most ", state.counters.step));
  const bool average = config.ema_decay > 0;
  if (fields.field("average") != json(average)) fields.reject_field("average", average ? "true" : "false");

  const ParameterLayout& layout = state.model.layout;
  if (average) state.raw = read_block(file, "/raw", layout);
  for (const std::string& name : make_update_rule(config)->state_names())
    state.optimizer.blocks.push_back({name, read_block(file, "/optimizer/" + name, layout)});
  state.counters.history = read_history(file, state.counters.epoch);
  return state;
}

}  // namespace vit
