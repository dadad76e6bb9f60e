#include "infer/metrics.h"

#include "vit/core/error.h"

namespace vit {
namespace {

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }
double ratio(int64_t part, int64_t whole) { return ratio(static_cast<double>(part), static_cast<double>(whole)); }

std::size_t checked_class(int32_t value, int64_t classes, const char* what, std::size_t image) {
  if (value < 0 || value >= classes)
    fail(ErrorKind::usage, "[metrics] ", what, " of picture ", image, ": needs 0..", classes - 1, ", has ", value);
  return static_cast<std::size_t>(value);
}

void add_rates(Scores& scores) {
  for (ClassScore& c : scores.classes) {
    c.precision = ratio(c.correct, c.predicted);
    c.recall = ratio(c.correct, c.images);
    c.f1 = ratio(2 * c.correct, c.images + c.predicted);
    scores.macro_precision += c.precision;
    scores.macro_recall += c.recall;
    scores.macro_f1 += c.f1;
  }
  const auto classes = static_cast<double>(scores.classes.size());
  scores.macro_precision = ratio(scores.macro_precision, classes);
  scores.macro_recall = ratio(scores.macro_recall, classes);
  scores.macro_f1 = ratio(scores.macro_f1, classes);
  scores.accuracy = ratio(scores.correct, scores.images);
}

}  // namespace

Scores score(std::span<const int32_t> labels, std::span<const int32_t> predicted, int64_t classes) {
  if (labels.size() != predicted.size())
    fail(ErrorKind::usage, "[metrics] predictions: needs ", labels.size(), " (one a label), has ", predicted.size());
  if (classes < 1) fail(ErrorKind::usage, "[metrics] classes: needs at least 1, has ", classes);
  const auto count = static_cast<std::size_t>(classes);
  Scores scores;
  scores.images = static_cast<int64_t>(labels.size());
  scores.classes.resize(count);
  if (classes <= kMaxConfusionClasses) scores.confusion.resize(count * count);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::size_t truth = checked_class(labels[i], classes, "label", i);
    const std::size_t answer = checked_class(predicted[i], classes, "prediction", i);
    ++scores.classes[truth].images;
    ++scores.classes[answer].predicted;
    if (!scores.confusion.empty()) ++scores.confusion[truth * count + answer];
    if (truth != answer) continue;
    ++scores.classes[truth].correct;
    ++scores.correct;
  }
  add_rates(scores);
  return scores;
}

int64_t rank_of(std::span<const float> logits, int64_t label) {
  const float own = logits[static_cast<std::size_t>(label)];
  int64_t before = 0;
  for (std::size_t c = 0; c < logits.size(); ++c) {
    if (logits[c] > own || (logits[c] == own && static_cast<int64_t>(c) < label)) ++before;
  }
  return before;
}

}  // namespace vit
