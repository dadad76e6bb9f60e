// consumer MODEL.h5 PICTURE: what the picture shows.
#include <infer/classifier.h>
#include <preprocess/image.h>

#include <iostream>

int main(int, char** argv) {
  auto classifier = vit::Classifier::open(argv[1]);
  for (const auto& p : classifier.classify(vit::read_image(argv[2]), {.top_k = 5}))
    std::cout << p.label << ' ' << p.probability << '\n';
}
