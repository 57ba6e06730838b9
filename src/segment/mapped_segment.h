// MappedSegment: a sealed segment in memory that is shared with the page cache.
//
// It holds a shared lock on an open file of its own for as long as it lives, so that nobody
// recycles the file: its bytes never change, however long a view pins it, also after the segment
// was trimmed. Pages are read in before they are looked at, in slices, so that a read error is an
// error and not a signal. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "segment/record_map.h"
#include "segment/segment_store.h"
#include "writeahead/env.h"

namespace writeahead::internal {

class MappedSegment final : public SegmentReader {
 public:
  /// `file` has the lock; `region` begins with its header block.
  MappedSegment(std::unique_ptr<File> file, std::unique_ptr<MappedRegion> region, std::string path,
                const MappedRange& range);

  [[nodiscard]] const MappedRange& range() const { return range_; }
  [[nodiscard]] uint64_t bytes() const override { return bytes_.size(); }
  [[nodiscard]] const std::string& path() const override { return path_; }
  /// Copies, whatever the source.
  [[nodiscard]] Result<void> read(uint64_t offset, std::span<std::byte> out,
                                  ReadSource source) override;
  [[nodiscard]] Result<std::span<const std::byte>> show(uint64_t offset, uint64_t count) override;
  void allow_cache_below(uint64_t) override {}
  [[nodiscard]] Result<void> sync() override;

  /// All bytes of the mapping; to be looked at only where they were shown, or if map() is there.
  [[nodiscard]] std::span<const std::byte> all() const { return bytes_; }
  /// Where its records are; null until it was built. All that is mapped has been read in then.
  [[nodiscard]] const RecordMap* records() const {
    return published_.load(std::memory_order_acquire);
  }
  /// Begins to fetch what reading a small record at `lsn`, within range(), will look at. Does
  /// nothing as long as there is no map of records.
  void prefetch(Lsn lsn) const;
  /// Counts a search that went without the map of records. True, once, when all of them together
  /// have cost as much as building it would.
  [[nodiscard]] bool count_search();
  void set_records(std::unique_ptr<const RecordMap> records) WRITEAHEAD_EXCLUDES(mutex_);

  /// For whoever keeps it: whether it was used since the last call.
  void note_use() {
    if (!was_used_.load(std::memory_order_relaxed))
      was_used_.store(true, std::memory_order_relaxed);
  }
  [[nodiscard]] bool take_use() { return was_used_.exchange(false, std::memory_order_relaxed); }

 private:
  const std::unique_ptr<File> file_;  // has the lock
  const std::unique_ptr<MappedRegion> region_;
  const std::string path_;
  const MappedRange range_;
  const std::span<const std::byte> bytes_;
  std::vector<std::atomic<uint8_t>> is_read_in_;  // one a slice
  std::atomic<uint64_t> searched_bytes_ = 0;
  std::atomic<bool> was_used_ = true;
  std::atomic<const RecordMap*> published_ = nullptr;
  Mutex mutex_;
  std::unique_ptr<const RecordMap> records_ WRITEAHEAD_GUARDED_BY(mutex_);
};

}  // namespace writeahead::internal
