// Stats: counters of one open log.
// Values only; taking them waits for background work in progress.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "writeahead/options.h"

namespace writeahead {

/// How far a consumer that has a hold is behind the durable end of the log.
struct HoldLag {
  std::string name;
  uint64_t bytes = 0;               ///< Of the log, from the hold on.
  std::optional<uint64_t> records;  ///< From the hold on, by their numbers.
  std::optional<uint64_t> age_ns;   ///< Since the first of them was appended; 0 if there is none.
  // The last two are nothing if that record cannot be read; a reader says why.
};

/// Counted since the log was opened. Each figure is right; together they may be of slightly
/// different moments.
struct Stats {
  uint64_t records = 0;          ///< Records acknowledged.
  uint64_t payload_bytes = 0;    ///< Bytes of their payloads.
  uint64_t frames = 0;           ///< Group commits: writes with a barrier, one each.
  uint64_t frame_bytes = 0;      ///< Bytes of frames, headers and padding included.
  uint64_t written_bytes = 0;    ///< Bytes written for them: whole blocks, tail blocks again.
  uint64_t largest_group = 0;    ///< Most appends that shared one frame.
  uint64_t segments_opened = 0;  ///< Segments that got their first frame: rotations and the first.
  uint64_t seals = 0;            ///< Seals written.
  uint64_t no_space = 0;         ///< Appends refused for want of space.
  uint64_t async_bytes = 0;      ///< Bytes of async and buffered appends that are on their way now.
  uint64_t standbys = 0;         ///< Segments that are ready to be used.
  uint64_t recycled = 0;         ///< Segments that were made ready of trimmed ones.
  SyncMethod sync_method = SyncMethod::automatic;  ///< The method in use.
  bool recovery_reads_device = true;  ///< False where direct reads are refused, so that recovery
                                      ///< has to trust the page cache and writes the tail again.
  bool assumes_powersafe = true;  ///< False if no sector that holds a durable frame is ever written
                                  ///< again: Options::frame_alignment asks for that, and it is so
                                  ///< only where it is not below what the device writes as one.
  /// Of each hold, by name. For each that lags a record is looked up: by the index of its segment,
  /// from which a few pages are read if nobody has read there yet.
  std::vector<HoldLag> holds;
};

}  // namespace writeahead
