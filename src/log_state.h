// LogState: an open log, put together. open -> (failed) -> closed.
//
// It wires store, recovery, committer, readers and background work, and holds the root as it stands
// on disk. Everything that is done is done in the layers below.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/background_thread.h"
#include "base/mutex.h"
#include "commit/committer.h"
#include "commit/completions.h"
#include "read/own_progress.h"
#include "read/read_view.h"
#include "recovery/recovery.h"
#include "retention/hold_book.h"
#include "retention/limits.h"
#include "retention/producer_book.h"
#include "retention/sealer.h"
#include "retention/space_quota.h"
#include "retention/standby_keeper.h"
#include "retention/trim.h"
#include "retention/trimmed_segments.h"
#include "retention/truncation.h"
#include "segment/segment_store.h"
#include "writeahead/hold.h"
#include "writeahead/log_identity.h"
#include "writeahead/options.h"
#include "writeahead/recovery_report.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// What the limits were judged by: while it stands, the verdict does.
struct LimitsSeen {
  uint64_t last_number = 0;  // of the table; grows with each rotation
  std::optional<Lsn> hold;
  uint64_t due_ns = 0;
};

class LogState : public std::enable_shared_from_this<LogState> {
 public:
  [[nodiscard]] static Result<std::shared_ptr<LogState>> open(const std::string& path,
                                                              const Options& options);
  LogState(const LogState&) = delete;
  LogState& operator=(const LogState&) = delete;
  ~LogState() = default;

  /// Refuses what is too large, or comes from a forked child, before any work is done for it.
  [[nodiscard]] Result<void> admit(uint64_t longest_payload) const;
  [[nodiscard]] Result<void> admit(const Batch& batch, const Mark& mark) const;
  /// Hands the append to the committer and looks after the answer.
  [[nodiscard]] Result<Appended> append(PendingAppend& append);
  /// An append that nobody waits for, and that has nobody to be told: of level `buffered`.
  [[nodiscard]] Result<Appended> append_buffered(const AsyncRecord& record);
  [[nodiscard]] Result<Appended> append_buffered(const Batch& batch, const BatchOptions& options);
  /// Appends with a callback. A refusal is told to the callback, or returned if `can_wait` is
  /// false.
  [[nodiscard]] Result<void> append_async(const AsyncRecord& record, CompletionTarget target,
                                          bool can_wait);
  [[nodiscard]] Result<void> append_async(const Batch& batch, const BatchOptions& options,
                                          CompletionTarget target, bool can_wait);
  [[nodiscard]] Result<void> sync();
  [[nodiscard]] Result<void> wait_durable(Lsn lsn, std::optional<std::chrono::nanoseconds> timeout,
                                          const std::stop_token& stop);
  [[nodiscard]] Result<void> trim_before(Lsn lsn) WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] Result<void> truncate_from(Lsn lsn) WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] Result<Hold> hold(std::string_view name, Lsn lsn) WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] std::vector<HoldInfo> holds() const;
  [[nodiscard]] Result<void> close() WRITEAHEAD_EXCLUDES(mutex_);
  /// One step of background work; whether it did anything.
  bool step() WRITEAHEAD_EXCLUDES(mutex_);

  /// The error of a reading call on a closed log; nothing while reads go on.
  [[nodiscard]] std::optional<Error> read_refusal() const;
  [[nodiscard]] ReadView& view() { return *view_; }
  [[nodiscard]] Committer& committer() { return *committer_; }
  [[nodiscard]] const RecoveryReport& report() const { return report_; }
  [[nodiscard]] Stats stats() const WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] LogIdentity identity() const WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] const std::string& path() const { return store_->path(); }
  [[nodiscard]] Env& env() const { return env_; }
  /// Whether this is the process that opened the log, and not a child that it forked.
  [[nodiscard]] bool is_owner() const { return env_.process_id() == owner_; }

 private:
  [[nodiscard]] std::vector<HoldLag> hold_lags() const;
  LogState(Env& env, const Options& options, std::shared_ptr<SegmentStore> store,
           Recovered recovered);

  void start_background();
  void start_second_writer();
  [[nodiscard]] BackgroundThread::Pause run_step() WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] Result<BackgroundThread::Pause> housekeep() WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<BackgroundThread::Pause> seal() WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<BackgroundThread::Pause> obey_limits() WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<BackgroundThread::Pause> prepare_standby() WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<BackgroundThread::Pause> remove_useless() WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<BackgroundThread::Pause> prove_idle() WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<void> refuse_async(const Error& error, CompletionTarget& target,
                                          bool can_wait);
  void wake_background();
  void remind_background(std::chrono::nanoseconds within);
  [[nodiscard]] Result<void> prove(bool is_clean) WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<void> finish_once() WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] Result<void> finish() WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Truncation prepare_truncation(CutPoint cut, const Standby& standby)
      WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<Standby> take_standby() WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<void> write_root(RootState next) WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<void> trim_below(Lsn lsn) WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<void> trim_to_empty(Lsn limit) WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<void> apply(const Trim& trim, const ProvenPosition& proven)
      WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<void> truncate_paused(Lsn lsn) WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<void> commit(Truncation truncation, std::optional<ProducerBook> producers)
      WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<std::optional<ProducerBook>> producers_below(Lsn lsn)
      WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<void> fail(const Error& cause);
  [[nodiscard]] Result<void> remove_trimmed() WRITEAHEAD_REQUIRES(mutex_);
  /// Why nothing may be changed; nothing while it may.
  [[nodiscard]] std::optional<Error> write_refusal(std::string_view action) const
      WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Error closed_error() const;
  [[nodiscard]] Error fork_error(std::string_view action) const;

  /// How long a log is idle before its end is proven by the root.
  static constexpr std::chrono::nanoseconds kIdleTime = std::chrono::seconds(1);

  Env& env_;
  const uint64_t owner_;
  const uint64_t max_record_bytes_;
  const std::shared_ptr<SegmentStore> store_;
  const RecoveryReport report_;
  const std::shared_ptr<OwnProgress> progress_;
  std::shared_ptr<ReadView> view_;
  SpaceQuota quota_;
  TrimmedSegments trimmed_;
  StandbyKeeper standbys_;
  const std::shared_ptr<Completions> completions_;
  std::unique_ptr<Committer> committer_;
  std::shared_ptr<HoldBook> holds_;
  std::atomic<bool> is_closed_ = false;

  mutable Mutex mutex_;  // background work, trims and close(): one at a time
  RootState root_ WRITEAHEAD_GUARDED_BY(mutex_);
  Sealer sealer_ WRITEAHEAD_GUARDED_BY(mutex_);
  bool is_released_ WRITEAHEAD_GUARDED_BY(mutex_) = false;
  uint64_t standby_retry_ns_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;
  Limits limits_ WRITEAHEAD_GUARDED_BY(mutex_);
  LimitsSeen limits_seen_ WRITEAHEAD_GUARDED_BY(mutex_);

  // Null if stepped; last, so that they end first.
  std::unique_ptr<BackgroundThread> second_writer_;
  std::unique_ptr<BackgroundThread> background_;
};

}  // namespace writeahead::internal
