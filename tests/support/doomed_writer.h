// DoomedWriter: appends from several threads to a log whose disk has begun to fail, until each
// thread was told so many times; and what it was told on the way, for the process that looks at the
// log afterwards.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "support/append_history.h"
#include "writeahead/log.h"

namespace writeahead::test {

/// How a doomed writer ended; a child's exit code.
enum class DoomedEnd : uint8_t {
  stopped,
  only_refused,  ///< No frame was written any more, for want of a segment.
  opening_failed,
  acknowledged_after,  ///< By an append that began after another was told of the failure.
  wrong_code,
  not_sticky,
  no_cause,  ///< The error has no errno.
  still_writable,
};

/// For SharedMemory.
struct DoomedHistory {
  AppendHistory history;
  std::atomic<bool> has_failed;
  std::atomic<uint64_t> acknowledged_after;
};

/// The writer number of who is no thread of append_until_failed().
inline constexpr size_t kOtherWriter = kWriters - 1;

/// Some appends before anything fails. False if one of them was refused.
[[nodiscard]] bool append_while_healthy(Log& log, uint64_t seed, DoomedHistory& history);

/// Appends from all other writers' threads. What is wrong is printed.
[[nodiscard]] DoomedEnd append_until_failed(Log& log, uint64_t seed, DoomedHistory& history);

/// Whether a log that failed does nothing any more, not even a proper close.
[[nodiscard]] bool stays_failed(Log& log);

}  // namespace writeahead::test
