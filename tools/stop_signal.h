// SIGINT, SIGTERM and SIGHUP, taken by a thread that waits for them: no handler runs where the program computes or
// writes. They end a command at once, without its temporary files, unless it has asked for a wish to stop.
#pragma once

#include <atomic>

namespace vit::tools {

/// To be called before there is any other thread. A reader that goes away (SIGPIPE) ends the program the same way.
void take_stop_signals();

/// The flag that the first signal sets from now on; a second one ends the program.
const std::atomic<bool>& watch_stop_signals();

}  // namespace vit::tools
