// What is chosen for an index, and what it tells of itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "writeahead/lsn.h"
#include "writeahead/options.h"

namespace writeahead::index {

/// How an index finds an id.
enum class IndexOrder : uint8_t {
  hashed,   ///< In constant time; in no order.
  ordered,  ///< In logarithmic time; ids can be walked through in their order.
};

/// What an index keeps of an id that several records have.
enum class IndexValues : uint8_t {
  last,  ///< The address that was put last.
  all,   ///< All of them, in the order of the log.
};

/// How an index is opened and kept.
struct IndexOptions {
  /// Tells the indexes of one log apart: its files are called so. 1 to 48 characters of
  /// [A-Za-z0-9_-].
  std::string name = "ids";
  /// The caller's number of what its extractor does. A snapshot that was made under another one is
  /// not used: raise it whenever the same records would lead to other entries.
  uint64_t extractor_version = 0;
  /// The background writes a snapshot once the log has grown by so many bytes since the last one,
  /// and by as many as that one has. 0: only write_snapshot() and close() do. Default 64 MiB.
  /// Nothing is written where there is no place for it.
  uint64_t snapshot_bytes = 64ULL << 20;
  /// Where snapshots lie: a directory for this log alone, whose last component is made if it is
  /// missing. By default the directory `index` beside the segments; of a log at an address none,
  /// so that each opening reads all of it. This is a cache: it may be lost, and what another
  /// machine did to the log meanwhile is found out, since a snapshot counts only if it fits.
  std::string cache_directory = {};
  /// How long the background lets records gather before it takes them in, so that an append does
  /// not have to wake a thread each time. advance_to() waits for nothing. Default 10 ms.
  uint32_t follow_interval_ms = 10;
  /// Who takes records in and writes snapshots when no caller does: a thread, or step_background().
  BackgroundWork background = BackgroundWork::thread;
};

/// How an opening came to its entries.
struct IndexOpening {
  uint64_t loaded_entries = 0;    ///< From a snapshot.
  uint64_t replayed_records = 0;  ///< From the log behind it, or from all of it.
  /// One line for each snapshot that was there and not used: which and why. And one if the cache
  /// of a log at an address was in use, and left alone.
  std::vector<std::string> refused_snapshots;
};

/// Counted since the opening, but for the first two.
struct IndexStats {
  uint64_t entries = 0;    ///< With those of trimmed records that were not taken out yet.
  Lsn position;            ///< Everything below was taken in.
  uint64_t records = 0;    ///< Taken in, those of the opening included.
  uint64_t rebuilds = 0;   ///< Begun anew since the log was truncated below the position.
  uint64_t snapshots = 0;  ///< Written.
  uint64_t snapshot_failures = 0;
  Lsn snapshot_position;       ///< Where an opening would go on from now; Lsn() without a snapshot.
  uint64_t snapshot_size = 0;  ///< Of the newest snapshot, in bytes.
  std::string last_failure;    ///< Of the background: one line. Empty if all went well.
};

}  // namespace writeahead::index
