// Making standbys: create or recycle, fill, sync, name.
// Nothing here touches a segment that is a part of the log.
#include "retention/standby_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "segment/segment_size.h"

namespace writeahead::internal {
namespace {

constexpr uint64_t kAheadBytes = 1ULL << 20;  // small segments are used up fast: more of them
constexpr uint64_t kMostAhead = 16;           // each has its descriptors open
constexpr uint64_t kLeastAhead = 1;
constexpr uint64_t kLargestGroup = 8;

/// A file system may find out only now that it has no room. No record was in these bytes.
Result<void> sync_filled(SegmentWriter& writer) {
  auto synced = writer.sync();
  if (!synced && is_out_of_space(SystemError{synced.error().system_error()})) {
    return std::unexpected(with_code(synced.error(), ErrorCode::no_space));
  }
  return synced;
}

}  // namespace

StandbyKeeper::StandbyKeeper(SegmentStore& store, SpaceQuota& quota, TrimmedSegments& trimmed,
                             const Options& options, uint64_t next_number)
    : store_(store),
      quota_(quota),
      trimmed_(trimmed),
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
  ready_.erase(ready_.begin());
  WRITEAHEAD_CHECK(standby.number == next_taken_);
  ++next_taken_;
  is_wanted_.store(false);
  return standby;
}

void StandbyKeeper::give_back(Standby standby) {
  MutexLock lock(mutex_);
  next_taken_ = standby.number;
  ready_.insert(ready_.begin(), std::move(standby));
}

uint64_t StandbyKeeper::next_number() const {
  MutexLock lock(mutex_);
  return next_taken_;
}

uint64_t StandbyKeeper::ready() const {
  MutexLock lock(mutex_);
  return ready_.size();
}

bool StandbyKeeper::may_fit_later(uint64_t needed_bytes) const {
  return std::max(prepared_bytes_for(needed_bytes), standby_bytes_) <= quota_.limit();
}

Error StandbyKeeper::quota_error() const {
  return make_error(ErrorCode::no_space, "prepare segment",
                    fmt::format("the quota of {} bytes is used up", quota_.limit()),
                    {.path = store_.path()});
}

Result<bool> StandbyKeeper::make(uint64_t needed_bytes) {
  MutexLock work_lock(work_mutex_);
  auto made = try_make(needed_bytes);
  const bool is_short = made ? !*made : made.error().code() == ErrorCode::no_space;
  if (!is_short) return made;
  // What is kept to be recycled has the space that is wanted.
  auto removed = trimmed_.remove(0);
  if (!removed) return removed;
  return *removed ? try_make(needed_bytes) : made;
}

Result<bool> StandbyKeeper::try_make(uint64_t needed_bytes) {
  while (true) {
    Standby next;
    {
      MutexLock lock(mutex_);
      if (!ready_.empty()) next = ready_.front();
      is_lengthening_ =
          next.writer != nullptr && frames_end_limit(next.writer->bytes()) < needed_bytes;
      if (next.writer != nullptr && !is_lengthening_) return true;
    }
    if (next.writer != nullptr) return lengthen(next, prepared_bytes_for(needed_bytes));
    // An append waits: what is begun is finished, and nothing more is made along with it.
    if (auto worked = work(1, SegmentWriter::kLargeSlice); !worked || !*worked) return worked;
  }
}

Result<bool> StandbyKeeper::lengthen(const Standby& standby, uint64_t bytes) {
  struct Release {
    StandbyKeeper& keeper;
    ~Release() {
      MutexLock lock(keeper.mutex_);
      keeper.is_lengthening_ = false;
    }
  } release{*this};
  SegmentWriter& writer = *standby.writer;
  const uint64_t before = writer.bytes();
  if (before < bytes && !quota_.try_take(standby.number, bytes - before)) return false;
  Result<void> done{};
  for (bool is_filled = false; done && !is_filled;) {
    auto filled = writer.fill_slice(bytes, SegmentWriter::kLargeSlice);
    if (!filled) done = std::unexpected(filled.error());
    is_filled = filled && *filled >= bytes;
  }
  if (!done) {
    // It serves as long as it was.
    if (before < bytes) quota_.give_back(standby.number, bytes - before);
    return std::unexpected(done.error());
  }
  if (auto synced = sync_filled(writer); !synced) {
    // Each open file may report this error once more: to the first frame that went there.
    drop_ready();
    return std::unexpected(synced.error());
  }
  return true;
}

/// All of them: numbers have to go on without a gap.
void StandbyKeeper::drop_ready() {
  drop_unfinished();
  while (true) {
    {
      MutexLock lock(mutex_);
      if (ready_.empty()) return;
      next_number_ = ready_.back().number;
      ready_.pop_back();
    }
    give_up_file(next_number_);
  }
}

/// How many are to be made together now; 0 if none are.
uint64_t StandbyKeeper::wanted() const {
  const uint64_t ready_now = ready();
  const bool is_short = is_wanted() && ready_now == 0;
  const uint64_t target = std::max<uint64_t>(target_, is_short ? 1 : 0);
  const uint64_t missing = target - std::min(ready_now, target);
  // A whole group, whose names are made durable together, or else each rotation would have the
  // device busy with the making of one.
  if (unfinished_.empty() && missing < group_ && !is_short) return 0;
  return std::clamp(missing, uint64_t{1}, group_);
}

/// A group is to be ready a little before as many segments as it has are used up.
bool StandbyKeeper::is_behind(double used) const {
  constexpr double kLead = 1.25;
  const uint64_t ready_now = ready();
  if (is_wanted() && ready_now == 0) return true;
  // All that is left are the syncs, and the names.
  const double begun = begun_part_.load();
  if (begun >= 1) return true;
  // Segments to write to when the group is begun, the active one included, and now.
  const uint64_t before = target_ - std::min(group_, target_) + 1;
  const double now = static_cast<double>(ready_now) + 1 - used;
  const auto span = static_cast<double>(std::min(group_, before));
  return begun < kLead * (static_cast<double>(before) - now) / span;
}

std::optional<uint64_t> StandbyKeeper::next_slice(double used, bool is_quiet) {
  MutexLock work_lock(work_mutex_);
  if (wanted() == 0) return std::nullopt;
  if (is_behind(used)) return SegmentWriter::kLargeSlice;
  return is_quiet ? SegmentWriter::kSmallSlice : 0;
}

std::chrono::nanoseconds StandbyKeeper::time_between_slices() const {
  // A byte each nanosecond, 1 GB/s, is more than most logs are written to.
  const std::chrono::nanoseconds whole(standby_bytes_);
  return std::clamp<std::chrono::nanoseconds>(whole / 4, std::chrono::microseconds(200),
                                              std::chrono::milliseconds(10));
}

Result<bool> StandbyKeeper::step(uint64_t slice) {
  MutexLock work_lock(work_mutex_);
  const uint64_t count = wanted();
  return count == 0 ? Result<bool>(false) : work(count, slice);
}

/// One slice on the way to a group of `wanted` standbys; false if the quota allows none.
Result<bool> StandbyKeeper::work(uint64_t wanted, uint64_t slice) {
  if (filled_ == unfinished_.size() && filled_ >= wanted) {
    if (auto finished = finish(); !finished) {
      drop_unfinished();
      return std::unexpected(finished.error());
    }
    return true;
  }
  if (filled_ == unfinished_.size()) {
    auto begun = begin();
    if (!begun || !*begun) {
      // What was filled before may still become ready.
      return filled_ == 0 ? begun : work(filled_, slice);
    }
  }
  auto filled = unfinished_.back().writer->fill_slice(standby_bytes_, slice);
  if (!filled) {
    drop_last();
    if (filled_ == 0) return std::unexpected(filled.error());
    return work(filled_, slice);
  }
  const bool is_filled = *filled >= standby_bytes_;
  const double last_part =
      is_filled ? 1 : static_cast<double>(*filled) / static_cast<double>(standby_bytes_);
  begun_part_.store((static_cast<double>(filled_) + last_part) / static_cast<double>(wanted));
  if (is_filled) ++filled_;
  return true;
}

/// A trimmed segment that has the next number now; null if there is none that can be used.
std::shared_ptr<SegmentWriter> StandbyKeeper::recycle() {
  while (const auto trimmed = trimmed_.take()) {
    std::shared_ptr<SegmentWriter> writer;
    try {
      writer = store_.recycle(*trimmed, next_number_, standby_bytes_);
    } catch (const std::bad_alloc&) {
      trimmed_.refuse(*trimmed);
      throw;
    }
    if (writer == nullptr) {
      trimmed_.refuse(*trimmed);
      continue;
    }
    trimmed_.forget(*trimmed);
    quota_.rename(*trimmed, next_number_);
    recycled_.fetch_add(1, std::memory_order_relaxed);
    return writer;
  }
  return nullptr;
}

/// The memory comes first: a file that was made would be left behind. False if the quota is used
/// up.
Result<bool> StandbyKeeper::begin() {
  unfinished_.emplace_back();
  Result<bool> begun = false;
  try {
    begun = begin_last();
  } catch (const std::bad_alloc&) {
    unfinished_.pop_back();
    throw;
  }
  if (!begun || !*begun) {
    unfinished_.pop_back();
  } else {
    ++next_number_;
  }
  return begun;
}

Result<bool> StandbyKeeper::begin_last() {
  Standby& standby = unfinished_.back();
  standby.number = next_number_;
  standby.writer = recycle();
  const uint64_t recycled_bytes = standby.writer != nullptr ? standby.writer->bytes() : 0;
  if (!quota_.try_take(next_number_, standby_bytes_ - recycled_bytes)) {
    if (standby.writer != nullptr) give_up_file(next_number_);
    return false;
  }
  if (standby.writer != nullptr) return true;
  auto created = store_.create(next_number_);
  if (!created) {
    quota_.give_back(next_number_);
    return std::unexpected(created.error());
  }
  standby.writer = std::move(*created);
  return true;
}

/// CRASH: a standby whose name or blocks are not durable holds nothing; it is found as one or not
/// at all.
Result<void> StandbyKeeper::finish() {
  for (const Standby& standby : unfinished_) {
    if (auto synced = sync_filled(*standby.writer); !synced) return synced;
  }
  if (auto synced = store_.sync_names(); !synced) return synced;
  MutexLock lock(mutex_);
  ready_.reserve(ready_.size() + unfinished_.size() + 1);
  begun_part_.store(0);
  while (!unfinished_.empty()) {
    ready_.push_back(unfinished_.front());
    unfinished_.pop_front();
    --filled_;
  }
  return {};
}

void StandbyKeeper::drop_unfinished() {
  while (!unfinished_.empty()) drop_last();
  filled_ = 0;
}

void StandbyKeeper::drop_last() {
  begun_part_.store(0);
  next_number_ = unfinished_.back().number;
  give_up_file(next_number_);
  unfinished_.pop_back();
}

void StandbyKeeper::give_up_file(uint64_t number) {
  store_.discard(number);
  quota_.give_back(number);
}

}  // namespace writeahead::internal
