// TrimmedSegments: the files of segments that are no part of the log any more, on their way out.
//
// A number comes here only when every copy of the root excludes its segment: a root that lost one
// slot must never lead to a file that is gone. What cannot be removed now waits for the next time.
#pragma once

#include <cstdint>
#include <vector>

#include "retention/space_quota.h"
#include "segment/segment_store.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// Used by one thread at a time.
class TrimmedSegments {
 public:
  TrimmedSegments(SegmentStore& store, SpaceQuota& quota, std::vector<uint64_t> numbers)
      : store_(store), quota_(quota), waiting_(std::move(numbers)) {}

  /// Makes sure that the next add() of so many needs no memory.
  void reserve(size_t count) { waiting_.reserve(waiting_.size() + count); }
  void add(const std::vector<uint64_t>& numbers) {
    waiting_.insert(waiting_.end(), numbers.begin(), numbers.end());
  }
  /// Gives the space of what waits back, as far as the storage lets it go. An error ends all
  /// writing: names that were synced in vain are uncertain.
  [[nodiscard]] Result<void> remove();

 private:
  SegmentStore& store_;
  SpaceQuota& quota_;
  std::vector<uint64_t> waiting_;
};

}  // namespace writeahead::internal
