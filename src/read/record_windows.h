// RecordWindows: parts of one segment in memory, where point reads come again and again.
//
// For a segment that nobody may map: a read of the file for each record would cost ten times as
// much as the rest. A window is read once so many reads fell into it that its bytes are worth it,
// from what is durable only, so that it never changes. Of many windows the oldest goes, unless it
// was used since it was looked at for that. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "read/single_record.h"
#include "segment/segment_store.h"
#include "segment/segment_table.h"
#include "writeahead/lsn.h"

namespace writeahead::internal {

class RecordWindows {
 public:
  static constexpr uint64_t kWindowBytes = 64ULL << 10;
  static constexpr size_t kMostWindows = 256;  // 16 MiB
  static constexpr uint8_t kReadsToEarn = 16;  // reading a window takes about as long

  explicit RecordWindows(size_t most_windows = kMostWindows) : most_windows_(most_windows) {}

  /// As read_single_record(), of always the same segment.
  [[nodiscard]] std::optional<SingleRecord> read(SegmentReader& reader, const SegmentView& segment,
                                                 Lsn lsn) WRITEAHEAD_EXCLUDES(mutex_);

 private:
  using Memory = std::shared_ptr<std::byte[]>;
  struct Window {
    Memory memory;
    uint8_t reads = 0;      // while there was no memory
    bool was_used = false;  // since the hand came by
  };

  /// The window with this index, if it is there.
  [[nodiscard]] Memory find(size_t index) WRITEAHEAD_EXCLUDES(mutex_);
  /// Counts a read that would have been served by this window. Whether it is to be loaded now.
  [[nodiscard]] bool count_read(size_t index) WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] bool has_room() WRITEAHEAD_REQUIRES(mutex_);
  void load(SegmentReader& reader, size_t index) WRITEAHEAD_EXCLUDES(mutex_);

  const size_t most_windows_;
  Mutex mutex_;
  std::vector<Window> windows_ WRITEAHEAD_GUARDED_BY(mutex_);
  std::deque<size_t> loaded_ WRITEAHEAD_GUARDED_BY(mutex_);  // the hand is at its front
};

}  // namespace writeahead::internal
