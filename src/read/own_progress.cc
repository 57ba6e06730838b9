// Waiting for one's own log to move on.
// No wait is missed: the count is raised before waiting threads are looked for, and a thread says
// that it waits before it looks at the count.
#include "read/own_progress.h"

#include "base/error.h"

namespace writeahead::internal {

void OwnProgress::move_on() {
  move_on_written();
  changes_.fetch_add(1);
  if (waiting_.load() == 0) return;
  MutexLock lock(mutex_);
  changed_.notify_all();
}

void OwnProgress::end(const Error& reason) {
  if (written_ != nullptr) written_->end(reason);
  {
    MutexLock lock(mutex_);
    if (!reason_) reason_ = reason;
    is_ended_.store(true);
  }
  move_on();
}

std::optional<Error> OwnProgress::refusal() {
  return is_undisturbed() ? std::nullopt : std::optional(forked_error("read log", log_));
}

bool OwnProgress::is_undisturbed() {
  // Once ended, the Env may be gone.
  return is_ended_.load() || env_.process_id() == owner_;
}

std::optional<Error> OwnProgress::ending() {
  if (!is_ended_.load()) return std::nullopt;
  MutexLock lock(mutex_);
  return reason_;
}

Progress::Outcome OwnProgress::wait(uint64_t seen, Deadline deadline, const std::stop_token& stop) {
  bool is_stopped = false;
  // Made, and unmade, without the mutex, which it takes.
  const std::stop_callback on_stop(stop, [&] {
    MutexLock lock(mutex_);
    is_stopped = true;
    changed_.notify_all();
  });
  MutexLock lock(mutex_);
  waiting_.fetch_add(1);
  Outcome outcome = Outcome::changed;
  while (changes_.load() == seen) {
    if (is_stopped) {
      outcome = Outcome::stopped;
      break;
    }
    if (!deadline) {
      changed_.wait(mutex_);
      continue;
    }
    const auto now = std::chrono::steady_clock::now();
    if (now >= *deadline) {
      outcome = Outcome::timed_out;
      break;
    }
    changed_.wait_for(mutex_, *deadline - now);
  }
  waiting_.fetch_sub(1);
  return outcome;
}

}  // namespace writeahead::internal
