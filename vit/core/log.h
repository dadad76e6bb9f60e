// The library never prints: it hands its messages to whoever asked for them.
#pragma once

#include <functional>
#include <string_view>

namespace vit {

enum class LogLevel { info, warning };
using LogSink = std::function<void(LogLevel, std::string_view)>;

/// Sets the receiver of messages; an empty one (the default) drops them.
void set_log_sink(LogSink sink);
void log(LogLevel level, std::string_view text);

}  // namespace vit
