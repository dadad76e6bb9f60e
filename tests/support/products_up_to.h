// Programs that a test starts see a product library without newer instructions.
#pragma once

#include <cstdlib>

namespace vit::test {

class ProductsUpTo {
 public:
  /// In the words of oneDNN: AVX512_CORE, AVX2, ...
  explicit ProductsUpTo(const char* isa) { setenv(kVariable, isa, 1); }
  ~ProductsUpTo() { unsetenv(kVariable); }
  ProductsUpTo(const ProductsUpTo&) = delete;
  ProductsUpTo& operator=(const ProductsUpTo&) = delete;

  static bool limited() { return std::getenv(kVariable) != nullptr; }

 private:
  static constexpr const char* kVariable = "ONEDNN_MAX_CPU_ISA";
};

}  // namespace vit::test
