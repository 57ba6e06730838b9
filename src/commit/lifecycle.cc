// The committer beyond appending: beginning somewhere, making durable, waiting, pausing, failing
// and closing. All of it goes through frames, so that there is one order and one way of failing.
#include <algorithm>
#include <utility>

#include "base/error.h"
#include "commit/committer.h"
#include "segment/segment_size.h"

namespace writeahead::internal {

using std::chrono::nanoseconds;

void Committer::begin_at(CommitStart start) {
  epoch_ = start.epoch;
  if (start.producers) producers_ = std::move(*start.producers);
  producers_.limit_to(most_producers_);
  active_ = std::move(start.active);
  active_header_ = start.active_header;
  binding_ = SegmentBinding::of(log_id_, active_header_.number);
  position_ = start.position;
  place_ = {};
  if (active_ != nullptr) {
    place_ = {.writer = active_,
              .number = active_header_.number,
              .base_lsn = active_header_.base_lsn,
              .frames_end = frames_end_limit(active_header_.prepared_bytes),
              .is_numbered = active_header_.is_numbered()};
    const uint64_t offset = segment_offset(place_.base_lsn, position_.lsn);
    // A file that a hard-link backup shares is left as it is; and aligned frames never stand behind
    // the end of a packed one, whose block they would share.
    const bool is_unaligned = alignment_ != 0 && offset % alignment_ != 0;
    if (active_->is_shared() || is_unaligned) place_.frames_end = 0;
  }
  next_lsn_ = written_lsn_ = position_.lsn;
  next_ordinal_ = position_.ordinal;
  end_lsn_.store(position_.lsn.value(), std::memory_order_release);
  durable_lsn_.store(position_.lsn.value(), std::memory_order_release);
  told_lsn_.store(position_.lsn.value());
  durable_number_ = active_ ? active_header_.number : start.first_number;
}

Error Committer::would_block() const {
  return make_error(ErrorCode::would_block, "append", "it would have to wait",
                    {.path = store_.path()});
}

bool Committer::is_all_durable() const { return frames_.empty() && written_lsn_ == durable_lsn(); }

Result<void> Committer::sync() {
  PendingAppend barrier(Durability::durable);
  bool leads = false;
  {
    MutexLock lock(mutex_);
    if (const auto refused = refusal()) return std::unexpected(*refused);
    if (is_all_durable()) return {};
    auto admitted = admit({});
    if (!admitted) return std::unexpected(admitted.error());
    join(*admitted->frame, barrier);
    leads = try_lead();
  }
  follow(barrier, leads);
  if (barrier.error) return std::unexpected(*barrier.error);
  return {};
}

Result<void> Committer::wait_durable(Lsn lsn,
                                     std::optional<std::chrono::steady_clock::time_point> deadline,
                                     const std::stop_token& stop) {
  MutexLock lock(mutex_);
  while (durable_lsn() <= lsn) {
    if (const auto refused = refusal()) return std::unexpected(*refused);
    const auto outcome = durable_waiters_.wait(mutex_, lsn, deadline, stop);
    if (outcome != DurableWaiters::Outcome::changed && durable_lsn() <= lsn) {
      return std::unexpected(make_error(ErrorCode::would_block, "wait for record",
                                        "it is not durable yet",
                                        {.path = store_.path(), .offset = {}, .lsn = lsn}));
    }
  }
  return {};
}

/// What an interval asks for: buffered records are written, written ones made durable.
nanoseconds Committer::make_due() {
  MutexLock lock(mutex_);
  if (failure_) return nanoseconds::max();
  const uint64_t now = env_.monotonic_ns();
  nanoseconds pause = nanoseconds::max();
  const auto is_over = [&](uint64_t since, uint64_t interval) {
    const uint64_t age = now - since;
    if (age >= interval) return true;
    pause = std::min(pause, nanoseconds(interval - age));
    return false;
  };
  const PendingFrame* const open = frames_.empty() ? nullptr : frames_.back().get();
  if (open != nullptr && !open->is_due && open->opened_ns != 0 &&
      is_over(open->opened_ns, flush_interval_ns_)) {
    frames_.back()->is_due = true;
  }
  // As long as there are such frames it comes by itself: waking it for each costs each two
  // switches.
  if (last_buffered_ns_ != 0 && now - last_buffered_ns_ < flush_interval_ns_) {
    pause = std::min(pause, nanoseconds(flush_interval_ns_));
  }
  if (unsynced_since_ns_ != 0 && is_over(unsynced_since_ns_, sync_interval_ns_)) require_sync();
  const PendingFrame* const next = next_frame();
  if (next != nullptr && next->is_due && !is_led_ && can_issue(*next)) return nanoseconds::zero();
  return pause;
}

/// The newest frame that is not issued becomes durable; one without a record, if there is none.
void Committer::require_sync() {
  if (next_frame() == nullptr) open_frame(0);
  frames_.back()->level = Durability::durable;
  frames_.back()->is_due = true;
}

/// Returns when nothing is on its way. Takes the lead where nobody else does.
void Committer::drain() {
  while (!frames_.empty() || is_led_ || is_making_room_) {
    for (size_t i = issued_; i < frames_.size(); ++i) frames_[i]->is_due = true;
    if (try_lead()) {
      mutex_.unlock();
      lead(false);
      mutex_.lock();
    } else {
      idle_.wait(mutex_);
    }
  }
}

void Committer::close(const Error& error) {
  MutexLock lock(mutex_);
  if (!closed_) closed_ = error;
  admission_.notify_all();
  drain();
  if (!failure_ && !is_all_durable()) {
    require_sync();
    drain();
  }
  durable_waiters_.notify_all();
}

Result<void> Committer::pause() {
  MutexLock lock(mutex_);
  while (is_paused_ && !refusal()) admission_.wait(mutex_);
  if (const auto refused = refusal()) return std::unexpected(*refused);
  is_paused_ = true;
  drain();
  if (!failure_ && !is_all_durable()) {
    require_sync();
    drain();
  }
  if (const auto refused = refusal()) {
    is_paused_ = false;
    admission_.notify_all();
    return std::unexpected(*refused);
  }
  return {};
}

void Committer::resume() {
  MutexLock lock(mutex_);
  is_paused_ = false;
  admission_.notify_all();
  durable_waiters_.notify_all();
}

void Committer::retry_admission() {
  MutexLock lock(mutex_);
  ++retries_;
  admission_.notify_all();
}

void Committer::restart(CommitStart start) {
  MutexLock lock(mutex_);
  begin_at(std::move(start));
}

void Committer::set_failure(const Error& cause) {
  // Who was fenced has to know: the log goes on elsewhere.
  const bool is_fenced = cause.code() == ErrorCode::fenced;
  if (!failure_) failure_ = is_fenced ? cause : with_code(cause, ErrorCode::failed);
  admission_.notify_all();
  idle_.notify_all();
  durable_waiters_.notify_all();
  progress_.end(*failure_);
}

void Committer::fail(const Error& cause) {
  Done done;
  {
    MutexLock lock(mutex_);
    set_failure(cause);
    if (!is_led_ && issued_ == 0) give_up_all(done);
  }
  wake(done);
}

std::optional<Error> Committer::failure() const {
  MutexLock lock(mutex_);
  return failure_;
}

ProvenPosition Committer::durable_position() const {
  MutexLock lock(mutex_);
  return {.number = durable_number_, .lsn = durable_lsn()};
}

bool Committer::commit_due() {
  {
    MutexLock lock(mutex_);
    if (!try_lead()) return false;
  }
  lead(false);
  return true;
}

Committer::SegmentUse Committer::segment_use() const {
  MutexLock lock(mutex_);
  SegmentUse use{.is_writing = !frames_.empty()};
  const uint64_t end = segment_offset(place_.base_lsn, end_lsn());
  if (place_.writer == nullptr || end >= place_.frames_end) return use;
  use.part = static_cast<double>(end) / static_cast<double>(place_.frames_end);
  return use;
}

Stats Committer::stats() const {
  MutexLock lock(mutex_);
  Stats stats = stats_;
  stats.async_bytes = async_bytes_;
  stats.sync_method = store_.sync_method();
  stats.recovery_reads_device = store_.reads_device();
  stats.assumes_powersafe = alignment_ == 0 || alignment_ < store_.safe_alignment();
  return stats;
}

}  // namespace writeahead::internal
