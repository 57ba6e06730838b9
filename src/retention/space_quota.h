// SpaceQuota: how many bytes of segment files there may be, and how many there are.
//
// It counts data segments and standbys by their prepared bytes, from their creation to their
// removal. Without a limit nothing is counted.
#pragma once

#include <cstdint>
#include <map>

#include "base/mutex.h"

namespace writeahead::internal {

/// Thread-safe.
class SpaceQuota {
 public:
  /// `limit` in bytes; 0 is none.
  explicit SpaceQuota(uint64_t limit) : limit_(limit) {}

  /// Counts so many more bytes for a segment, or nothing if there is no room for them.
  [[nodiscard]] bool try_take(uint64_t number, uint64_t bytes) WRITEAHEAD_EXCLUDES(mutex_);
  /// Counts a segment that is there, room or not.
  void take(uint64_t number, uint64_t bytes) WRITEAHEAD_EXCLUDES(mutex_);
  /// A segment goes on under another number.
  void rename(uint64_t from, uint64_t to) WRITEAHEAD_EXCLUDES(mutex_);
  /// A segment is gone. Does nothing for one that was not counted.
  void give_back(uint64_t number) WRITEAHEAD_EXCLUDES(mutex_);
  /// A segment has so many bytes fewer than were counted.
  void give_back(uint64_t number, uint64_t bytes) WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] uint64_t limit() const { return limit_; }

 private:
  const uint64_t limit_;
  Mutex mutex_;
  uint64_t used_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, uint64_t> bytes_of_ WRITEAHEAD_GUARDED_BY(mutex_);  // by segment number
};

}  // namespace writeahead::internal
