// consumer MODEL.h5 PICTURE: what the picture shows.
#include <infer/classifier.h>

#include <iostream>
#include <opencv2/imgcodecs.hpp>

int main(int, char** argv) {
  auto classifier = vit::Classifier::open(argv[1]);
  for (const auto& p : classifier.classify(cv::imread(argv[2]), {.top_k = 5}))
    std::cout << p.label << ' ' << p.probability << '\n';
}
