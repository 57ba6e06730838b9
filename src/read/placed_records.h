// PlacedRecords: point reads without a search in a segment that is not mapped.
//
// Of one segment, the one that was searched most of late and so the active one as a rule, it knows
// where the records begin, up to what was durable when it looked. A read there is one of the
// record's bytes, from a window in memory or from the file, which are verified. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/mutex.h"
#include "read/record_windows.h"
#include "segment/record_map.h"
#include "segment/segment_store.h"
#include "segment/segment_table.h"
#include "writeahead/lsn.h"
#include "writeahead/reader.h"

namespace writeahead::internal {

class PlacedRecords {
 public:
  /// Both outlive it.
  PlacedRecords(SegmentStore& store, SegmentTable& table) : store_(store), table_(table) {}

  /// The record at `lsn` of a log that was truncated so often. Nothing if it is not known here, or
  /// if anything is not as it should be: that is not judged here.
  [[nodiscard]] std::optional<RecordView> read(Lsn lsn, uint64_t truncations)
      WRITEAHEAD_EXCLUDES(mutex_);
  /// A search found a record there. Once all of them together have cost as much as looking for the
  /// records that are not known yet, those are looked for.
  void count_search(Lsn lsn) WRITEAHEAD_EXCLUDES(mutex_);
  /// Gives back what is known of a segment, and its windows: it is read in another way from now on,
  /// or is gone.
  void forget(uint64_t number) WRITEAHEAD_EXCLUDES(mutex_);

 private:
  /// What was found in a segment as it was then.
  struct Places {
    SegmentView segment;
    uint64_t truncations;
    std::unique_ptr<const RecordMap> records;
    std::shared_ptr<RecordWindows> windows;  // the same ones for as long as it is this segment
  };

  [[nodiscard]] std::shared_ptr<const Places> places() const WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] bool is_earned(const SegmentView& segment, const Places* known)
      WRITEAHEAD_EXCLUDES(mutex_);

  SegmentStore& store_;
  SegmentTable& table_;
  mutable Mutex mutex_;
  std::shared_ptr<const Places> places_ WRITEAHEAD_GUARDED_BY(mutex_);
  uint64_t searched_bytes_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;  // since places_ were looked for
  std::atomic<bool> has_places_ = false;  // As long as there never were any, nobody asks.
};

}  // namespace writeahead::internal
