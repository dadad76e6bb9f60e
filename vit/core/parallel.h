// All threads of the library. Work is cut by size, never by thread count, so results do not depend on it.
#pragma once

#include <cstdint>

#include "vit/core/function_ref.h"

namespace vit {

/// Sets how many threads the library uses from now on; 0 = one per processor this process may run on.
/// Call it while nothing runs.
void set_thread_count(int threads);
int thread_count();

/// Calls body(begin, end) for pieces of at most `grain` items that cover [0, count); serial when one piece
/// is enough or when called from inside a parallel region. Rethrows the first exception.
void parallel_for(int64_t count, int64_t grain, FunctionRef<void(int64_t begin, int64_t end)> body);

/// Calls body(shard, worker) once for each shard in [0, shards). Workers (0 .. min(threads, shards)-1) take
/// shards in increasing order, so a body may wait for an earlier shard (see Turnstile). When shards fail, no later
/// one begins, and the exception of the earliest is rethrown: the same for any number of threads. Inside a body all
/// other calls of this header run serially, and no signal handler runs (see SignalBlock).
void parallel_shards(int64_t shards, FunctionRef<void(int64_t shard, int worker)> body);

/// Calls body(phase, part) once for each of phases x parts: all parts of a phase end before any of the next begins.
/// A thread takes its own part of a phase first, then any that nobody has begun, so this ends with however many
/// threads there are; between phases it spins, so phases should be short. No signal handler runs in a body. Rethrows
/// the first exception.
void parallel_phases(int phases, int parts, FunctionRef<void(int phase, int part)> body);

}  // namespace vit
