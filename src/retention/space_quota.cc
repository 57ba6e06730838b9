// Counting bytes of segments.
// A log may be above its quota at opening, when the quota was lowered: then nothing more is let in.
#include "retention/space_quota.h"

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
