// LogState: an open log, put together. open -> (failed) -> closed.
//
// It wires store, recovery, committer, readers and background work, and holds the root as it stands
// on disk. Everything that is done is done in the layers below.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "base/background_thread.h"
#include "base/mutex.h"
#include "commit/committer.h"
#include "read/read_view.h"
#include "recovery/recovery.h"
#include "retention/sealer.h"
#include "segment/segment_store.h"
#include "writeahead/options.h"
#include "writeahead/recovery_report.h"
#include "writeahead/result.h"

namespace writeahead::internal {

class LogState {
 public:
  [[nodiscard]] static Result<std::unique_ptr<LogState>> open(const std::string& path,
                                                              const Options& options);
  LogState(const LogState&) = delete;
  LogState& operator=(const LogState&) = delete;
  ~LogState() = default;

  /// Refuses what is too large, or comes from a forked child, before any work is done for it.
  [[nodiscard]] Result<void> admit(uint64_t longest_payload) const;
  /// Hands the append to the committer and looks after the answer.
  [[nodiscard]] Result<Appended> append(PendingAppend& append);
  [[nodiscard]] Result<void> close() WRITEAHEAD_EXCLUDES(mutex_);
  /// One step of background work; whether it did anything.
  bool step() WRITEAHEAD_EXCLUDES(mutex_);

  /// The error of a reading call on a closed log; nothing while reads go on.
  [[nodiscard]] std::optional<Error> read_refusal() const;
  [[nodiscard]] ReadView& view() { return *view_; }
  [[nodiscard]] Committer& committer() { return *committer_; }
  [[nodiscard]] const RecoveryReport& report() const { return report_; }
  [[nodiscard]] Stats stats() const WRITEAHEAD_EXCLUDES(mutex_);
  /// Whether this is the process that opened the log, and not a child that it forked.
  [[nodiscard]] bool is_owner() const { return env_.process_id() == owner_; }

 private:
  LogState(Env& env, const Options& options, std::shared_ptr<SegmentStore> store,
           Recovered recovered);

  [[nodiscard]] BackgroundThread::Next run_step() WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] Result<BackgroundThread::Next> housekeep() WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<void> prove(bool is_clean) WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<void> finish() WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Error closed_error() const;

  Env& env_;
  const uint64_t owner_;
  const uint64_t max_record_bytes_;
  const std::shared_ptr<SegmentStore> store_;
  const RecoveryReport report_;
  std::shared_ptr<ReadView> view_;
  std::unique_ptr<Committer> committer_;
  std::atomic<bool> is_closed_ = false;

  mutable Mutex mutex_;  // background work and close(): one at a time
  RootState root_ WRITEAHEAD_GUARDED_BY(mutex_);
  Sealer sealer_ WRITEAHEAD_GUARDED_BY(mutex_);
  bool is_released_ WRITEAHEAD_GUARDED_BY(mutex_) = false;

  std::unique_ptr<BackgroundThread> background_;  // null if stepped; last, so that it ends first
};

}  // namespace writeahead::internal
