// Making standbys: create, fill, sync, name.
// Nothing here touches a segment that ever took data.
#include "retention/standby_keeper.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "segment/segment_size.h"

namespace writeahead::internal {
namespace {

constexpr uint64_t kAheadBytes = 1ULL << 20;  // small segments are used up fast: more of them
constexpr uint64_t kMostAhead = 16;           // each has its descriptors open
constexpr uint64_t kLeastAhead = 1;
constexpr uint64_t kLargestGroup = 8;

}  // namespace

StandbyKeeper::StandbyKeeper(SegmentStore& store, const Options& options, uint64_t next_number)
    : store_(store),
      standby_bytes_(prepared_bytes_for(options.segment_bytes)),
      target_(options.standby_segments.value_or(
          std::clamp(kAheadBytes / standby_bytes_, kLeastAhead, kMostAhead))),
      group_(std::clamp(target_ / 2, uint64_t{1}, kLargestGroup)),
      next_number_(next_number),
      next_taken_(next_number) {}

std::optional<Standby> StandbyKeeper::take(uint64_t needed_bytes) {
  MutexLock lock(mutex_);
  // One that is being made longer would be written at both ends at once.
  if (ready_.empty() || is_lengthening_) return std::nullopt;
  if (frames_end_limit(ready_.front().writer->bytes()) < needed_bytes) return std::nullopt;
  Standby standby = std::move(ready_.front());
  ready_.pop_front();
  WRITEAHEAD_CHECK(standby.number == next_taken_);
  ++next_taken_;
  return standby;
}

void StandbyKeeper::give_back(Standby standby) {
  MutexLock lock(mutex_);
  next_taken_ = standby.number;
  ready_.push_front(std::move(standby));
}

uint64_t StandbyKeeper::next_number() const {
  MutexLock lock(mutex_);
  return next_taken_;
}

uint64_t StandbyKeeper::ready() const {
  MutexLock lock(mutex_);
  return ready_.size();
}

bool StandbyKeeper::is_short() const { return ready() < target_; }

Result<void> StandbyKeeper::make(uint64_t needed_bytes) {
  MutexLock work_lock(work_mutex_);
  while (true) {
    std::shared_ptr<SegmentWriter> next;
    {
      MutexLock lock(mutex_);
      if (!ready_.empty()) next = ready_.front().writer;
      is_lengthening_ = next != nullptr && frames_end_limit(next->bytes()) < needed_bytes;
      if (next != nullptr && !is_lengthening_) return {};
    }
    if (next == nullptr) {
      // An append waits: what is begun is finished, and nothing more is made along with it.
      if (auto worked = work(1); !worked) return std::unexpected(worked.error());
    } else {
      return lengthen(*next, prepared_bytes_for(needed_bytes));
    }
  }
}

Result<void> StandbyKeeper::lengthen(SegmentWriter& writer, uint64_t bytes) {
  struct Release {
    StandbyKeeper& keeper;
    ~Release() {
      MutexLock lock(keeper.mutex_);
      keeper.is_lengthening_ = false;
    }
  } release{*this};
  while (true) {
    auto filled = writer.fill_slice(bytes);
    if (!filled) return std::unexpected(filled.error());
    if (*filled) return writer.sync();
  }
}

Result<bool> StandbyKeeper::step() {
  MutexLock work_lock(work_mutex_);
  const uint64_t ready_now = ready();
  if (ready_now >= target_ && unfinished_.empty()) return false;
  return work(std::max<uint64_t>(1, std::min(group_, target_ - std::min(ready_now, target_))));
}

/// One slice on the way to a group of `wanted` standbys.
Result<bool> StandbyKeeper::work(uint64_t wanted) {
  if (filled_ == unfinished_.size() && filled_ >= wanted) {
    if (auto finished = finish(); !finished) {
      drop_unfinished();
      return std::unexpected(finished.error());
    }
    return true;
  }
  if (filled_ == unfinished_.size()) {
    unfinished_.emplace_back();  // The memory first: a created file would be left behind.
    auto created = store_.create(next_number_);
    if (!created) {
      unfinished_.pop_back();
      // What was filled before may still become ready.
      if (filled_ == 0) return std::unexpected(created.error());
      return work(filled_);
    }
    unfinished_.back() = {.number = next_number_++, .writer = std::move(*created)};
  }
  auto filled = unfinished_.back().writer->fill_slice(standby_bytes_);
  if (!filled) {
    store_.discard(unfinished_.back().number);
    unfinished_.pop_back();
    --next_number_;
    if (filled_ == 0) return std::unexpected(filled.error());
    return work(filled_);
  }
  if (*filled) ++filled_;
  return true;
}

/// CRASH: a standby whose name or blocks are not durable holds nothing; it is found as one or not
/// at all.
Result<void> StandbyKeeper::finish() {
  for (const Standby& standby : unfinished_) {
    if (auto synced = standby.writer->sync(); !synced) return synced;
  }
  if (auto synced = store_.sync_names(); !synced) return synced;
  MutexLock lock(mutex_);
  while (!unfinished_.empty()) {
    ready_.push_back(unfinished_.front());
    unfinished_.pop_front();
    --filled_;
  }
  return {};
}

void StandbyKeeper::drop_unfinished() {
  while (!unfinished_.empty()) {
    store_.discard(unfinished_.back().number);
    next_number_ = unfinished_.back().number;
    unfinished_.pop_back();
  }
  filled_ = 0;
}

}  // namespace writeahead::internal
