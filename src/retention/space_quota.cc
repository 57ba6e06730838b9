// Counting bytes of segments.
// A log may be above its quota at opening, when the quota was lowered: then nothing more is let in.
#include "retention/space_quota.h"

#include <utility>

namespace writeahead::internal {

bool SpaceQuota::try_take(uint64_t number, uint64_t bytes) {
  if (limit_ == 0) return true;
  MutexLock lock(mutex_);
  if (used_ > limit_ || bytes > limit_ - used_) return false;
  bytes_of_[number] += bytes;
  used_ += bytes;
  return true;
}

void SpaceQuota::take(uint64_t number, uint64_t bytes) {
  if (limit_ == 0) return;
  MutexLock lock(mutex_);
  bytes_of_[number] += bytes;
  used_ += bytes;
}

void SpaceQuota::rename(uint64_t from, uint64_t to) {
  MutexLock lock(mutex_);
  // The node moves: this needs no memory.
  auto counted = bytes_of_.extract(from);
  if (counted.empty()) return;
  counted.key() = to;
  bytes_of_.insert(std::move(counted));
}

void SpaceQuota::give_back(uint64_t number) {
  if (limit_ == 0) return;
  MutexLock lock(mutex_);
  const auto found = bytes_of_.find(number);
  if (found == bytes_of_.end()) return;
  used_ -= found->second;
  bytes_of_.erase(found);
}

void SpaceQuota::give_back(uint64_t number, uint64_t bytes) {
  if (limit_ == 0) return;
  MutexLock lock(mutex_);
  const auto found = bytes_of_.find(number);
  if (found == bytes_of_.end()) return;
  used_ -= bytes;
  found->second -= bytes;
}

}  // namespace writeahead::internal
