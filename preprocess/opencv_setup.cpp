#include "preprocess/opencv_setup.h"

#include <opencv2/core/utility.hpp>
#include <opencv2/core/utils/logger.hpp>

namespace vit {

void setup_opencv() {
  static const bool done = [] {
    cv::setNumThreads(1);  // pictures run in parallel, one picture does not
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace vit
