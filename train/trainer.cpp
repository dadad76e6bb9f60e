#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <set>

#include "infer/class_match.h"
#include "train/checkpoint.h"
#include "train/curves.h"
#include "train/ema.h"
#include "train/mixes/batch_mix.h"
#include "train/prepare.h"
#include "train/run_folder.h"
#include "train/schedule.h"
#include "train/train_step.h"
#include "train/validation.h"
#include "vit/core/error.h"
#include "vit/core/json_fields.h"
#include "vit/core/json_text.h"
#include "vit/core/text.h"
#include "vit/io/atomic_file.h"

namespace vit {
namespace {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin_ = Clock::now();
};

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

StepOptions step_options(const TrainConfig& c) {
  StepOptions options;
  options.dtype = c.dtype;
  options.recompute = c.recompute;
  options.objective = make_objective(c);
  options.dropout = c.dropout;
  options.attention_dropout = c.attention_dropout;
  options.drop_path = c.drop_path;
  options.seed = c.seed;
  return options;
}

ParameterBlock copy_of(const ParameterBlock& block) {
  ParameterBlock copy(block.size());
  std::copy_n(block.data(), block.size(), copy.data());
  return copy;
}

/// One run, from its first or its next step to its end.
class Run {
 public:
  Run(const TrainConfig& config, const Dataset& data, const RunFolder& folder, const TrainOptions& options);

  void begin(const Dataset& data, const Model* init);
  void resume(const Dataset& data);
  TrainSummary execute();

 private:
  bool stop_asked() { return comm_.any(options_.stop != nullptr && options_.stop->load()); }
  bool writes_files() const { return comm_.rank() == 0; }
  void share_state();
  void check_same_classes(const Dataset& data, const std::string& where) const;
  bool out_of_patience() const;
  bool train_epoch();
  void take_step(Loader& loader);
  int64_t images_of_step() const;
  void update(float lr, double loss, int64_t images, int64_t expected);
  void note_unreadable(const char* split, const std::vector<UnreadableImage>& list);
  void report_step(int64_t first_step, int64_t first_image, double seconds) const;
  bool finish_epoch();
  HistoryRow epoch_row() const;
  bool is_better(const HistoryRow& row) const;
  void note_better(const HistoryRow& row);
  void close_epoch(const HistoryRow& row);
  void record(const HistoryRow* row);
  void save_within_epoch();

  const TrainConfig& config_;
  const RunFolder& folder_;
  const TrainOptions& options_;
  Comm& comm_;
  std::shared_ptr<const Split> train_;
  std::shared_ptr<const Split> val_;  // null = there is none
  Pipeline pipeline_;
  int64_t batches_;  // an epoch
  int64_t steps_;    // an epoch
  Schedule schedule_;
  BatchMix mix_;
  TrainStep step_;
  TrainState state_;
  std::unique_ptr<Optimizer> optimizer_;
  ParameterBlock gradients_;
  double validation_seconds_ = 0;  // of the last epoch
  TrainSummary summary_;
  std::set<std::pair<std::string, int64_t>> unreadable_;
};

Run::Run(const TrainConfig& config, const Dataset& data, const RunFolder& folder, const TrainOptions& options)
    : config_(config),
      folder_(folder),
      options_(options),
      comm_(options.comm != nullptr ? *options.comm : comm_self()),
      train_(data.split("train")),
      val_(data.split("val")),
      pipeline_(training_pipeline(data, config)),
      batches_(ceil_div(train_->size(), config.batch)),
      steps_(ceil_div(batches_, config.accumulate)),
      schedule_(config, steps_),
      mix_(config),
      step_(config.model, std::min(config.batch, train_->size()), step_options(config)) {
  if (val_ != nullptr && val_->size() == 0) val_ = nullptr;
}

void Run::begin(const Dataset& data, const Model* init) {
  state_.model = make_initial_model(config_, data, init);
  optimizer_ = std::make_unique<Optimizer>(state_.model.layout, config_);
  state_.optimizer = optimizer_->make_state();
  if (config_.ema_decay > 0) state_.raw = copy_of(state_.model.weights);
  state_.model.training = {{"recipe", config_.recipe},
                           {"config", to_json(config_)},
                           {"data", data_record(data)},
                           {"source", printable(options_.source)},
                           {"vit_version", options_.version}};
  record(nullptr);
  if (!writes_files()) return;
  write_file_atomically(folder_.config(), json_text(to_json(config_), 2) + "\n");
  save_checkpoint(folder_.last(), state_);  // a run that is killed in its first epoch can be resumed too
}

/// The labels of the data must mean what they meant.
void Run::check_same_classes(const Dataset& data, const std::string& where) const {
  const std::vector<std::string>& names = state_.model.class_names;
  if (data.class_names() == names) return;
  const ClassMatch match = match_names(data.class_names(), names);
  const bool moved = match.missing.empty() && match.unused.empty();
  fail(ErrorKind::data, "[train] the data has other classes than ", where, " was trained on: ",
       moved
           ? std::string("the same ones in another order")
           : concat("only in the data: ", some_names(match.missing), "; only in the run: ", some_names(match.unused)));
}

void Run::resume(const Dataset& data) {
  state_ = load_checkpoint(folder_.last(), config_);
  const std::string where = folder_.last().string();
  const nlohmann::json& training = state_.model.training;
  check_same_classes(data, where);
  const std::string difference =
      first_difference(data_record(data), JsonFields(training, "train", where).field("data"));
  if (!difference.empty()) {
    fail(ErrorKind::data, "[train] the data is not what ", where, " was trained on: ", difference);
  }
  if (state_.counters.batches > batches_) {
    fail(ErrorKind::data, "[train] /checkpoint/counters: batches: needs at most ", batches_, ", has ",
         state_.counters.batches, " (", where, ")");
  }
  const RunCounters& c = state_.counters;
  const int64_t made = c.epoch * steps_ + ceil_div(c.batches, config_.accumulate);
  if (c.step != made)
    fail(ErrorKind::data, "[train] /checkpoint/counters: step: needs ", made, " after ", c.epoch, " epochs and ",
         c.batches, " batches, has ", c.step, " (", where, ")");
  if (c.images > c.images_seen || c.images_seen > train_->size())
    fail(ErrorKind::data, "[train] /checkpoint/counters: images, images_seen: need at most ", train_->size(), ", have ",
         c.images, " and ", c.images_seen, " (", where, ")");
  optimizer_ = std::make_unique<Optimizer>(state_.model.layout, config_);
  if (!writes_files()) return;
  write_history(folder_.path, state_.counters.history);
  write_file_atomically(folder_.config(), json_text(to_json(config_), 2) + "\n");
}

/// All ranks begin with what rank 0 holds.
void Run::share_state() {
  comm_.broadcast(state_.model.weights.span());
  comm_.broadcast(state_.raw.span());
  for (OptimizerState::Block& block : state_.optimizer.blocks) comm_.broadcast(block.values.span());
}

TrainSummary Run::execute() {
  share_state();
  gradients_ = ParameterBlock(state_.model.layout.block_size());
  step_.pack(state_.trained());
  while (state_.counters.epoch < config_.epochs && !out_of_patience()) {
    if (train_epoch() && finish_epoch()) continue;
    save_within_epoch();
    summary_.stopped = true;
    break;
  }
  summary_.stopped_early = out_of_patience();
  summary_.epochs = state_.counters.epoch;
  summary_.steps = state_.counters.step;
  summary_.nonfinite_steps = state_.counters.nonfinite_steps;
  summary_.best_epoch = state_.counters.best_epoch;
  summary_.history = state_.counters.history;
  return std::move(summary_);
}

bool Run::out_of_patience() const {
  return config_.early_stop_patience > 0 && state_.counters.epochs_without_better >= config_.early_stop_patience;
}

/// False when it was asked to stop on the way.
bool Run::train_epoch() {
  RunCounters& c = state_.counters;
  LoaderOptions loading;
  loading.batch = config_.batch;
  loading.shuffle = true;
  loading.seed = config_.seed;
  loading.epoch = c.epoch;
  loading.first_batch = c.batches;
  if (config_.augment != AugmentConfig{}) loading.augmentation = config_.augment;
  Loader loader(train_, pipeline_, loading);

  const Stopwatch watch;
  const double earlier_seconds = c.train_seconds;
  const int64_t first_step = c.step;
  const int64_t first_image = c.images_seen;
  while (c.batches < batches_) {
    if (stop_asked()) return false;
    take_step(loader);
    c.train_seconds = earlier_seconds + watch.seconds();
    report_step(first_step, first_image, watch.seconds());
    const bool save = config_.save_every_steps > 0 && c.step % config_.save_every_steps == 0;
    if (save && c.batches < batches_) save_within_epoch();
  }
  return !stop_asked();
}

/// Pictures that the next step takes when all can be read.
int64_t Run::images_of_step() const {
  const int64_t begin = state_.counters.batches * config_.batch;
  return std::min(train_->size() - begin, config_.accumulate * config_.batch);
}

void Run::take_step(Loader& loader) {
  RunCounters& c = state_.counters;
  const int64_t expected = images_of_step();
  const float scale = 1.0f / static_cast<float>(expected);
  double loss = 0;
  int64_t images = 0;
  for (int64_t k = 0; k < config_.accumulate && c.batches < batches_; ++k, ++c.batches) {
    Batch* batch = loader.next();
    if (batch == nullptr)
      fail(ErrorKind::internal, "[train] the loader ended after ", c.batches, " of ", batches_, " batches");
    note_unreadable("train", batch->unreadable);
    if (batch->size == 0) continue;
    const Targets targets = mix_.apply(*batch, pipeline_.patches() * pipeline_.patch_dim(), c.epoch, c.batches);
    const TensorView<const float> patches(batch->patches.data(),
                                          {batch->size, pipeline_.patches(), pipeline_.patch_dim()});
    const TrainStep::Batch inputs{
        .patches = patches, .targets = targets, .valid_tokens = nullptr, .step = c.step, .first_image = images};
    loss += step_.run(inputs, scale, gradients_).loss_sum;
    images += batch->size;
  }
  comm_.sum(gradients_.span());
  double totals[] = {loss, static_cast<double>(images)};
  comm_.sum(totals);
  images = static_cast<int64_t>(totals[1]);
  if (images > 0) update(schedule_.rate(c.step), totals[0], images, expected);
  ++c.step;
}

/// The gradients are those of loss / expected; pictures that could not be read do not count in the mean.
void Run::update(float lr, double loss, int64_t images, int64_t expected) {
  RunCounters& c = state_.counters;
  c.images_seen += images;
  const float grad_scale = static_cast<float>(expected) / static_cast<float>(images);
  ParameterBlock& weights = state_.trained();
  const bool applied =
      std::isfinite(loss) && optimizer_->step(lr, grad_scale, gradients_, weights, state_.optimizer).applied;
  clear(gradients_);
  if (applied) {
    c.nonfinite_in_a_row = 0;
    c.loss_sum += loss;
    c.images += images;
    step_.pack(weights);
    if (config_.ema_decay > 0) {
      update_average(ema_decay_at(config_.ema_decay, state_.optimizer.updates - 1), weights, state_.model.weights);
    }
    return;
  }
  ++c.epoch_nonfinite;
  ++c.nonfinite_steps;
  if (++c.nonfinite_in_a_row >= kMostNonfiniteInARow) {
    fail(ErrorKind::data, "[train] loss or gradients were not finite in ", c.nonfinite_in_a_row,
         " steps in a row, the last is step ", c.step + 1, " with lr ", lr,
         "; is lr too large, or std of the preprocessing too small?");
  }
}

void Run::note_unreadable(const char* split, const std::vector<UnreadableImage>& list) {
  for (const UnreadableImage& image : list) {
    if (unreadable_.emplace(split, image.index).second) summary_.unreadable.push_back(image);
  }
}

void Run::report_step(int64_t first_step, int64_t first_image, double seconds) const {
  if (!options_.on_step) return;
  const RunCounters& c = state_.counters;
  StepProgress p;
  p.epoch = c.epoch + 1;
  p.epochs = config_.epochs;
  p.step = ceil_div(c.batches, config_.accumulate);
  p.steps = steps_;
  p.images_per_second = static_cast<double>(c.images_seen - first_image) / std::max(seconds, 1e-9);
  p.loss = c.images > 0 ? c.loss_sum / static_cast<double>(c.images) : std::nan("");
  p.lr = schedule_.rate(c.step - 1);
  const double seconds_a_step = seconds / static_cast<double>(c.step - first_step);
  p.seconds_left = seconds_a_step * static_cast<double>(config_.epochs * steps_ - c.step) +
                   validation_seconds_ * static_cast<double>(config_.epochs - c.epoch);
  options_.on_step(p);
}

HistoryRow Run::epoch_row() const {
  const RunCounters& c = state_.counters;
  HistoryRow row;
  row.epoch = c.epoch + 1;
  row.step = c.step;
  row.lr = schedule_.rate(c.step - 1);
  if (c.images > 0) row.train_loss = c.loss_sum / static_cast<double>(c.images);
  row.images_per_second = static_cast<double>(c.images_seen) / std::max(c.train_seconds, 1e-9);
  row.seconds = c.train_seconds;
  row.nonfinite_steps = c.epoch_nonfinite;
  return row;
}

/// Validation, best.h5, last.h5, history and curves. False when it was asked to stop on the way.
bool Run::finish_epoch() {
  if (state_.counters.images_seen == 0) fail(ErrorKind::data, "[train] no picture of the train split can be read");
  HistoryRow row = epoch_row();
  if (val_ != nullptr) {
    const Stopwatch watch;
    const auto result = run_validation(state_.model, val_, pipeline_, config_.batch, options_.stop);
    if (comm_.any(!result)) return false;
    note_unreadable("val", result->unreadable);
    if (std::isfinite(result->loss)) row.val_loss = result->loss;
    row.val_top1 = result->top1;
    validation_seconds_ = watch.seconds();
    row.seconds += validation_seconds_;
  }
  const bool better = is_better(row);
  if (better) note_better(row);
  close_epoch(row);
  if (!better && val_ != nullptr) ++state_.counters.epochs_without_better;

  record(&row);
  if (writes_files()) {
    if (better) save_model(folder_.best(), state_.model);
    save_checkpoint(folder_.last(), state_);
    write_history(folder_.path, state_.counters.history);
    write_curves(folder_.curves(), state_.counters.history);
  }
  if (options_.on_epoch) options_.on_epoch(row);
  return true;
}

/// Without a val split every epoch is better than the one before it.
bool Run::is_better(const HistoryRow& row) const {
  if (val_ == nullptr) return true;
  const bool by_loss = config_.early_stop_metric == "val_loss";
  const auto& value = by_loss ? row.val_loss : row.val_top1;
  if (!value) return false;
  const auto& best = state_.counters.best_value;
  return !best || (by_loss ? *value < *best : *value > *best);
}

void Run::note_better(const HistoryRow& row) {
  RunCounters& c = state_.counters;
  c.best_value = config_.early_stop_metric == "val_loss" ? row.val_loss : row.val_top1;
  c.best_epoch = row.epoch;
  c.epochs_without_better = 0;
}

void Run::close_epoch(const HistoryRow& row) {
  RunCounters& c = state_.counters;
  c.history.push_back(row);
  ++c.epoch;
  c.batches = c.images = c.images_seen = c.epoch_nonfinite = 0;
  c.loss_sum = c.train_seconds = 0;
}

/// What the model file tells about its training. Times are left out: two runs with one seed make equal files.
void Run::record(const HistoryRow* row) {
  nlohmann::json& training = state_.model.training;
  training["epochs"] = state_.counters.epoch;
  training["steps"] = state_.counters.step;
  training["nonfinite_steps"] = state_.counters.nonfinite_steps;
  training["train_loss"] = optional_json(row != nullptr ? row->train_loss : std::nullopt);
  training["val_loss"] = optional_json(row != nullptr ? row->val_loss : std::nullopt);
  training["val_top1"] = optional_json(row != nullptr ? row->val_top1 : std::nullopt);
}

void Run::save_within_epoch() {
  record(nullptr);
  if (writes_files()) save_checkpoint(folder_.last(), state_);
}

}  // namespace

TrainSummary train(const TrainConfig& config, const Dataset& data, const std::filesystem::path& run,
                   const TrainOptions& options) {
  validate(fit_defaults(config));
  if (options.comm != nullptr && options.comm->ranks() != 1)
    fail(ErrorKind::usage, "[train] trains on one rank, has ", options.comm->ranks(),
         ": batches are not divided between ranks yet");
  const RunFolder folder{run};
  if (options.resume)
    need_checkpoint(folder);
  else
    check_new_run(folder, {options.init_model}, options.force);
  std::optional<Model> init;
  if (!options.init_model.empty()) init = load_model(options.init_model);
  const TrainConfig resolved = resolve(config, data, init ? &*init : nullptr);

  Run one(resolved, data, folder, options);
  if (options.resume) {
    one.resume(data);
  } else {
    begin_run(folder);
    one.begin(data, init ? &*init : nullptr);
  }
  return one.execute();
}

TrainConfig load_run_config(const std::filesystem::path& run) {
  const std::filesystem::path path = RunFolder{run}.config();
  constexpr int64_t kMaxBytes = 1 << 20;
  const std::string where = path.string();
  const TrainConfig defaults;
  return train_config_from_json(parse_json(read_file(path, kMaxBytes), "train_config", where), defaults, where);
}

}  // namespace vit
