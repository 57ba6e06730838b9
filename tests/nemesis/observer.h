// A process that reads the log beside its writers, in three ways: one that follows it, one that
// asks for the end again and again, and one that opens it anew each time.
#pragma once

#include <cstdint>
#include <string>

#include "nemesis/history_file.h"

namespace writeahead::nemesis {

/// Until it is asked to stop.
void run_observer(const std::string& address, uint64_t seed, HistoryFile& history);

}  // namespace writeahead::nemesis
