// TrimmedSegments: the files of segments that are no part of the log any more, until they are
// recycled or removed.
//
// A number comes here only when every copy of the root excludes its segment: a root that lost one
// slot must never lead to a file that is gone or holds something else. What cannot be removed now
// is tried again by background work. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/mutex.h"
#include "retention/space_quota.h"
#include "segment/segment_store.h"
#include "writeahead/result.h"

namespace writeahead::internal {

class TrimmedSegments {
 public:
  /// `left_over`: what the opening could not remove.
  TrimmedSegments(SegmentStore& store, SpaceQuota& quota, std::span<const uint64_t> left_over);

  /// Makes sure that the next add() of so many needs no memory.
  void reserve(size_t count) WRITEAHEAD_EXCLUDES(mutex_);
  /// `may_be_recycled`: not if a truncation voided them, since what voids them is a link to
  /// numbers.
  void add(std::span<const uint64_t> numbers, bool may_be_recycled) WRITEAHEAD_EXCLUDES(mutex_);

  /// One to be recycled; whoever takes it says what became of it.
  [[nodiscard]] std::optional<uint64_t> take() WRITEAHEAD_EXCLUDES(mutex_);
  /// It has another number now.
  void forget(uint64_t number) WRITEAHEAD_EXCLUDES(mutex_);
  /// It is of no use, and is to be removed.
  void refuse(uint64_t number) WRITEAHEAD_EXCLUDES(mutex_);

  /// Gives the space back of what is of no use and of all others but `kept`, as far as the storage
  /// lets it go. Returns whether anything went. An error ends all writing: names that were synced
  /// in vain are uncertain.
  [[nodiscard]] Result<bool> remove(size_t kept) WRITEAHEAD_EXCLUDES(mutex_);
  /// Whether something waits for remove() whatever is kept.
  [[nodiscard]] bool has_useless() const WRITEAHEAD_EXCLUDES(mutex_);

 private:
  enum class State : uint8_t { recyclable, taken, useless };
  struct Segment {
    uint64_t number;
    State state;
  };

  [[nodiscard]] std::vector<uint64_t> select(size_t kept) WRITEAHEAD_EXCLUDES(mutex_);

  SegmentStore& store_;
  SpaceQuota& quota_;
  mutable Mutex mutex_;
  std::vector<Segment> segments_ WRITEAHEAD_GUARDED_BY(mutex_);
};

}  // namespace writeahead::internal
