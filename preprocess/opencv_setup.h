// OpenCV as this project uses it: no threads of its own, no words on stderr.
#pragma once

namespace vit {

/// Once a process; cheap afterwards. Every function that calls OpenCV begins with it.
void setup_opencv();

}  // namespace vit
