// classify_folder MODEL.h5 FOLDER: what the pictures of a folder show, and how many each class has.
// Pictures are read and prepared on all cores beside the model; one that cannot be read is told and does not end it.
// The shorter way for a single picture is Classifier::classify.
#include <infer/classifier.h>
#include <infer/classify_files.h>
#include <infer/inputs.h>
#include <vit/core/error.h>

#include <iostream>
#include <map>
#include <string>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: classify_folder MODEL.h5 FOLDER\n";
    return 2;
  }
  try {
    auto classifier = vit::Classifier::open(argv[1], {.dtype = vit::fastest_dtype(false)});
    const auto files = vit::expand_inputs({argv[2]});
    std::map<std::string, int> counts;
    const auto show = [&](const vit::FileResult& result) {
      if (!result.error.empty()) {
        std::cerr << result.error << '\n';
        return;
      }
      const vit::Prediction& best = result.predictions.front();
      std::cout << result.path << ": " << best.label << ' ' << best.probability << '\n';
      ++counts[best.label];
    };
    const auto summary = vit::classify_files(classifier, files, {.top_k = 1}, show);
    for (const auto& [label, count] : counts) std::cout << count << " x " << label << '\n';
    return summary.unreadable == 0 ? 0 : 3;
  } catch (const vit::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
