#include "datasets/subset.h"

#include <utility>

#include "preprocess/image.h"
#include "vit/core/error.h"

namespace vit {
namespace {

class Subset final : public Split {
 public:
  Subset(std::shared_ptr<const Split> whole, std::vector<int64_t> indices)
      : whole_(std::move(whole)), indices_(std::move(indices)) {}

  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  int32_t label(int64_t index) const override { return whole_->label(at(index)); }
  std::string path(int64_t index) const override { return whole_->path(at(index)); }
  Image image(int64_t index) const override { return whole_->image(at(index)); }

 private:
  int64_t at(int64_t index) const { return indices_[static_cast<std::size_t>(index)]; }

  std::shared_ptr<const Split> whole_;
  std::vector<int64_t> indices_;
};

}  // namespace

std::shared_ptr<const Split> subset(std::shared_ptr<const Split> whole, std::vector<int64_t> indices) {
  for (const int64_t index : indices)
    if (index < 0 || index >= whole->size())
      fail(ErrorKind::internal, "[subset] index: needs 0..", whole->size() - 1, ", has ", index);
  return std::make_shared<Subset>(std::move(whole), std::move(indices));
}

}  // namespace vit
