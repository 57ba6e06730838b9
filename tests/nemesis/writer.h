// A process that owns the log, and appends until it is asked to stop, taken over, or the log fails.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "nemesis/history_file.h"
#include "writeahead/object_store.h"

namespace writeahead::nemesis {

struct WriterWish {
  std::string address;
  uint64_t process = 0;  ///< What its ids begin with.
  uint64_t seed = 1;
  int singles = 6;                        ///< Threads that append one record at a time ...
  int batches = 2;                        ///< ... and batches ...
  int asyncs = 1;                         ///< ... and without waiting, up to 64 at once.
  std::chrono::microseconds pause{2000};  ///< Between two appends of a thread, on average.
  uint64_t segment_bytes = 1 << 20;
  /// Between two trims, of the first sixth of the log.
  std::chrono::milliseconds trim_pause{2000};
  /// Between the opening and the first append.
  std::chrono::milliseconds delay{0};
  /// How often it goes on at the cluster itself, where the log has taken note that it was fenced,
  /// and what it does there.
  int zombie_tries = 50;
  std::function<SystemResult<ObjectAnswer>()> append_as_a_zombie;
};

/// How it ended, and with which code its process exits.
enum class WriterEnd : uint8_t {
  asked = 0,
  not_opened = 3,
  failed = 4,
  fenced = 5,
};

/// Says on standard output when the log is open, ten times a second that appends are acknowledged,
/// and why it ends.
[[nodiscard]] WriterEnd run_writer(const WriterWish& wish, HistoryFile& history);

}  // namespace writeahead::nemesis
