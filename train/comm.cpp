#include "train/comm.h"

namespace vit {
namespace {

class CommSelf : public Comm {
 public:
  int rank() const override { return 0; }
  int ranks() const override { return 1; }
  void sum(std::span<float>) override {}
  void sum(std::span<double>) override {}
  bool any(bool flag) override { return flag; }
  void broadcast(std::span<float>) override {}
};

}  // namespace

Comm& comm_self() {
  static CommSelf self;
  return self;
}

}  // namespace vit
