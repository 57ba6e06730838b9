// TagLogState: who waits for a record of a tag.
//
// One of those who wait leads: it looks at the log, takes in what comes for all of them, and wakes
// those for whom there is something. So a record wakes whom it concerns, and the leader.
#include <algorithm>
#include <mutex>

#include "tag_log_state.h"

namespace writeahead::index::internal {

/// Of a thread as long as it waits. When it goes, another one has to lead if nobody does: also if
/// it did not, for it may have been woken for that.
class TagLogState::Leadership {
 public:
  explicit Leadership(TagLogState& log) : log_(log) {}
  Leadership(const Leadership&) = delete;
  Leadership& operator=(const Leadership&) = delete;
  ~Leadership() {
    const std::lock_guard lock(log_.waiting_mutex_);
    if (is_held_) log_.has_leader_ = false;
    if (!log_.has_leader_ && !log_.waiters_.empty()) log_.waiters_.front()->wake();
  }

  /// With the mutex held.
  [[nodiscard]] bool take() {
    is_held_ = is_held_ || !log_.has_leader_;
    if (is_held_) log_.has_leader_ = true;
    return is_held_;
  }

 private:
  TagLogState& log_;
  bool is_held_ = false;
};

/// Wakes whom it concerns what the leader took in. With the mutex held.
void TagLogState::end_round() {
  ++rounds_;
  for (Waiter* const waiter : waiters_) {
    if (contents_.has_from(waiter->tag, waiter->from)) waiter->wake();
  }
}

/// Waits for what lies at `position` or behind it.
Result<void> TagLogState::lead(Lsn position, const std::stop_token& stop, Deadline deadline) const {
  std::optional<std::chrono::nanoseconds> left;
  if (deadline) left = std::max(std::chrono::nanoseconds(0), *deadline - Clock::now());
  auto record = log_.reader(position).wait_next(stop, left);
  if (!record || *record) return {};
  const ErrorCode code = record->error().code();
  if (code == ErrorCode::trimmed || code == ErrorCode::truncated) return {};
  return std::unexpected(record->error());
}

/// Until it is woken; not at all if a round has ended since `seen`, whose leader did not know of
/// it.
void TagLogState::sleep(Waiter& self, std::unique_lock<std::mutex>& lock, uint64_t seen,
                        const std::stop_token& stop, Deadline deadline) {
  if (rounds_ != seen) return;
  self.is_woken = false;
  waiters_.push_back(&self);
  const auto is_over = [&] { return self.is_woken; };
  if (deadline) {
    self.changed.wait_until(lock, stop, *deadline, is_over);
  } else {
    self.changed.wait(lock, stop, is_over);
  }
  std::erase(waiters_, &self);
}

Result<bool> TagLogState::wait(Tag tag, Lsn from, const std::stop_token& stop, Deadline deadline) {
  Waiter self{.tag = tag, .from = from, .changed = {}, .is_woken = false};
  Leadership leadership(*this);
  for (;;) {
    const uint64_t seen = rounds_;
    if (auto advanced = advance(); !advanced) return std::unexpected(advanced.error());
    // What comes behind it ends the leader's wait, whoever takes it in.
    const Lsn position = core_->position();
    if (contents_.has_from(tag, from)) return true;
    if (stop.stop_requested() || (deadline && Clock::now() >= *deadline)) return false;
    {
      std::unique_lock lock(waiting_mutex_);
      if (!leadership.take()) {
        sleep(self, lock, seen, stop, deadline);
        continue;
      }
      // For who has looked before this thread took in what is in front of the position.
      end_round();
    }
    if (auto led = lead(position, stop, deadline); !led) return std::unexpected(led.error());
  }
}

}  // namespace writeahead::index::internal
