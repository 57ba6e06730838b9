// MappedSegments: the mappings of a log's sealed segments that are kept, and the way to them.
//
// A point read finds its segment here without meeting other threads: each looks at a copy of the
// list that few share, and a change of the list, which is rare, replaces all copies. What is kept
// is bounded in number (each takes a descriptor) and in memory. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "segment/mapped_segment.h"
#include "segment/segment_store.h"
#include "writeahead/lsn.h"

namespace writeahead::internal {

class MappedSegments {
 public:
  /// The mapping that holds `lsn` among its frames, if it is kept.
  [[nodiscard]] std::shared_ptr<MappedSegment> find(Lsn lsn) const;
  /// Ascending; never changes.
  using List = std::vector<std::shared_ptr<MappedSegment>>;
  /// All that are kept now, for several look-ups in a row; null if there never was one.
  [[nodiscard]] std::shared_ptr<const List> list() const;
  /// The one of a list that holds `lsn` among its frames; null if none does.
  [[nodiscard]] static const std::shared_ptr<MappedSegment>* find_in(const List& list, Lsn lsn);
  /// The mapping of the segment with this number, if it is kept.
  [[nodiscard]] std::shared_ptr<MappedSegment> at(uint64_t number) const
      WRITEAHEAD_EXCLUDES(mutex_);

  /// Keeps a mapping unless there is one; `is_wanted`, asked under the lock that remove() takes,
  /// says whether the segment still belongs to the log. Returns the one that is kept, else null.
  template <class IsWanted>
  std::shared_ptr<MappedSegment> keep(std::shared_ptr<MappedSegment> segment, IsWanted is_wanted)
      WRITEAHEAD_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (!is_wanted()) return nullptr;
    return insert(std::move(segment));
  }
  /// Drops what is too much now that a mapping grew by its map of records.
  void limit(const MappedSegment& grown) WRITEAHEAD_EXCLUDES(mutex_);
  /// Drops the mappings of the segments [begin, end), which left the log: nothing but views that
  /// were handed out holds their files from then on. Never fails: without memory all are dropped.
  void remove(uint64_t begin, uint64_t end) WRITEAHEAD_EXCLUDES(mutex_);

 private:
  struct alignas(64) Copy {
    Mutex mutex;
    std::shared_ptr<const List> list WRITEAHEAD_GUARDED_BY(mutex);
  };

  std::shared_ptr<MappedSegment> insert(std::shared_ptr<MappedSegment> segment)
      WRITEAHEAD_REQUIRES(mutex_);
  void evict(List& list, const MappedSegment* spared) WRITEAHEAD_REQUIRES(mutex_);
  void publish(List list) WRITEAHEAD_REQUIRES(mutex_);
  void replace_list(std::shared_ptr<const List> list) WRITEAHEAD_REQUIRES(mutex_);

  static constexpr size_t kCopies = 16;
  static constexpr size_t kKeptSegments = 64;
  static constexpr uint64_t kKeptHeapBytes = 64ULL << 20;

  mutable std::array<Copy, kCopies> copies_;
  mutable Mutex mutex_;  // before any copy's
  const std::shared_ptr<const List> none_ = std::make_shared<const List>();
  std::shared_ptr<const List> list_ WRITEAHEAD_GUARDED_BY(mutex_) = none_;
  size_t hand_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;  // of the clock that looks for unused ones
};

}  // namespace writeahead::internal
