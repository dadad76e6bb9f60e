// SIGINT and SIGTERM as a wish to stop soon; a second one ends the program at once.
#pragma once

#include <atomic>

namespace vit::tools {

/// The flag that the first signal sets.
const std::atomic<bool>& watch_stop_signals();

}  // namespace vit::tools
