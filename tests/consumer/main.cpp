// consumer MODEL.h5 PICTURE: what the picture shows.
#include <infer/classifier.h>

#include <iostream>
#include <opencv2/imgcodecs.hpp>

int main(int, char** argv) {
  auto classifier = vit::Classifier::open(argv[1]);
  const auto predictions = classifier.classify(cv::imread(argv[2]), {.top_k = 5});
  for (const auto& p : predictions) std::cout << p.label << ' ' << p.probability << '\n';
  // The same picture through the library's own reader.
  const bool same = classifier.classify(vit::read_image(argv[2]), {.top_k = 1})[0].index == predictions[0].index;
  return same ? 0 : 1;
}
