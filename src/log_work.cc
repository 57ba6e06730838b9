// What a log does that nobody waits for: one step of it.
// Frames and callbacks come first; what writes is done with the log's mutex held, one thing a step.
#include <algorithm>
#include <array>
#include <chrono>
#include <new>
#include <optional>
#include <utility>

#include "log_state.h"

namespace writeahead::internal {
namespace {
/// How long after a failure to make a standby it is tried again.
constexpr std::chrono::nanoseconds kRetryTime = std::chrono::milliseconds(200);
/// A log without a commit for so long has time for what is not urgent.
constexpr std::chrono::nanoseconds kQuietTime = std::chrono::milliseconds(2);
constexpr std::chrono::nanoseconds kShortestPause{1};
}  // namespace

/// The root proves what is durable now; with what it proved before, nothing is written.
Result<void> LogState::prove(bool is_clean) {
  RootState next = root_;
  // A log without a segment proves its own beginning, as it was created.
  if (committer_->durable_lsn() != root_.first.lsn) next.proven = committer_->durable_position();
  next.is_clean = is_clean;
  next.holds = holds_->all();
  if (next.proven == root_.proven && next.is_clean == root_.is_clean && next.holds == root_.holds) {
    return {};
  }
  if (auto written = store_->write_root(next); !written) return written;
  root_ = std::move(next);
  return {};
}

/// What nobody waits for, in the order of its use: each part comes again until it has nothing to
/// do.
Result<BackgroundThread::Pause> LogState::housekeep() {
  using Part = Result<BackgroundThread::Pause> (LogState::*)();
  constexpr std::array<Part, 5> kParts{&LogState::seal, &LogState::obey_limits,
                                       &LogState::prepare_standby, &LogState::remove_useless,
                                       &LogState::prove_idle};
  auto pause = BackgroundThread::kForEver;
  for (const Part part : kParts) {
    auto next = (this->*part)();
    if (!next || *next == BackgroundThread::kNone) return next;
    pause = std::min(pause, *next);
  }
  return pause;
}

Result<BackgroundThread::Pause> LogState::seal() {
  auto sealed = sealer_.step();
  if (!sealed) return std::unexpected(sealed.error());
  return *sealed ? BackgroundThread::kNone : BackgroundThread::kForEver;
}

/// What cannot be made now is tried again later; an append that needs it says what is wrong.
Result<BackgroundThread::Pause> LogState::prepare_standby() {
  // A log that nobody appends to needs none.
  if (committer_->last_commit_ns() == 0 && !standbys_.is_wanted()) {
    return BackgroundThread::kForEver;
  }
  const auto [used, is_writing] = committer_->segment_use();
  const uint64_t last_commit_ns = committer_->last_commit_ns();
  const uint64_t now = env_.monotonic_ns();
  if (now < standby_retry_ns_) return std::chrono::nanoseconds(standby_retry_ns_ - now);
  const bool is_quiet =
      !is_writing && now - last_commit_ns >= static_cast<uint64_t>(kQuietTime.count());
  // Without a thread it is the caller who has time.
  const auto slice = background_ != nullptr ? standbys_.next_slice(used, is_quiet)
                                            : std::optional(SegmentWriter::kLargeSlice);
  if (!slice) return BackgroundThread::kForEver;
  if (*slice == 0) return standbys_.time_between_slices();
  auto made = standbys_.step(*slice);
  if (made && !*made) return BackgroundThread::kForEver;
  // What is not urgent leaves their time to the other parts.
  if (made) return *slice == SegmentWriter::kSmallSlice ? kShortestPause : BackgroundThread::kNone;
  standby_retry_ns_ = now + static_cast<uint64_t>(kRetryTime.count());
  return kRetryTime;
}

/// What was to be recycled and turned out to be in use, and what could not be removed before.
Result<BackgroundThread::Pause> LogState::remove_useless() {
  auto removed = trimmed_.remove(standbys_.target());
  if (!removed) return std::unexpected(removed.error());
  if (*removed) {
    committer_->retry_admission();  // Somebody may wait for this space.
    return BackgroundThread::kNone;
  }
  return trimmed_.has_useless() ? kRetryTime : BackgroundThread::kForEver;
}

Result<BackgroundThread::Pause> LogState::prove_idle() {
  const bool is_proven = committer_->durable_lsn() == root_.proven.lsn;
  if (is_proven && holds_->all() == root_.holds) return BackgroundThread::kForEver;
  const uint64_t idle_ns = env_.monotonic_ns() - committer_->last_commit_ns();
  const auto needed_ns = static_cast<uint64_t>(kIdleTime.count());
  if (idle_ns < needed_ns) return std::chrono::nanoseconds(needed_ns - idle_ns);
  if (auto proven = prove(false); !proven) return std::unexpected(proven.error());
  return BackgroundThread::kNone;
}

/// Followers first, then frames, then the callbacks, which run without a lock, then what nobody
/// waits for.
BackgroundThread::Pause LogState::run_step() {
  if (!is_owner()) return BackgroundThread::kForEver;
  // Commits may always leave something else to do. Without a lock: it takes as long as so many
  // wake-ups take.
  const auto crowd = committer_->wake_followers();
  const auto completions = completions_;
  const bool has_committed = committer_->commit_due();
  if (completions->run() || has_committed) return BackgroundThread::kNone;
  try {
    const auto due = committer_->make_due();
    if (due == BackgroundThread::kNone) return due;
    MutexLock lock(mutex_);
    if (is_released_ || committer_->failure()) return BackgroundThread::kForEver;
    auto next = housekeep();
    if (next) return std::min({*next, due, crowd});
    committer_->fail(next.error());
    return BackgroundThread::kNone;
  } catch (const std::bad_alloc&) {
    return kRetryTime;
  }
}

bool LogState::step() {
  const auto kept = shared_from_this();
  return run_step() == BackgroundThread::kNone;
}

}  // namespace writeahead::internal
