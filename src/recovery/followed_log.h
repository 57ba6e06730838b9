// FollowedLog: a log that another process may write, as far as it was looked at.
//
// It is the one who changes the SegmentTable of a ReadOnlyLog. What the control page says became
// durable is scanned and added; when anything else changed, another writer, a trim or a truncation,
// the log is observed anew and what is known is brought in line with it. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/mutex.h"
#include "read/progress.h"
#include "recovery/observation.h"
#include "segment/segment_store.h"
#include "segment/segment_table.h"

namespace writeahead::internal {

class FollowedLog final : public Progress {
 public:
  /// `observed` is not damaged, and settled; `before`: the signs before it was observed.
  FollowedLog(std::shared_ptr<SegmentStore> store, const Observation& observed,
              std::optional<ControlSigns> before);

  [[nodiscard]] const std::shared_ptr<SegmentTable>& table() const { return table_; }
  /// Of the last look at the whole log.
  [[nodiscard]] uint64_t epoch() const { return epoch_.load(std::memory_order_relaxed); }
  /// Takes in all that is durable now, what a writer left behind that died, too.
  [[nodiscard]] Result<void> update() WRITEAHEAD_EXCLUDES(mutex_);

  [[nodiscard]] uint64_t changes() override;
  /// A log may always get another writer.
  [[nodiscard]] std::optional<Error> ending() override { return std::nullopt; }
  [[nodiscard]] Outcome wait(uint64_t seen, Deadline deadline, const std::stop_token& stop) override
      WRITEAHEAD_EXCLUDES(wait_mutex_);
  [[nodiscard]] Result<void> refresh() override WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] bool is_current() override;
  [[nodiscard]] Result<void> confirm() override WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] Result<void> recheck() override WRITEAHEAD_EXCLUDES(mutex_);

 private:
  [[nodiscard]] Result<void> take_news(bool asks_writer) WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<bool> advance(Lsn durable) WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<bool> enter_next(const SegmentHeader& last) WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<void> take_trim() WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<void> look() WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<void> refuse_destroyed();
  void note(const Observation& observed, std::optional<ControlSigns> before)
      WRITEAHEAD_REQUIRES(mutex_);
  void trim(const LogStart& first) WRITEAHEAD_REQUIRES(mutex_);
  void merge(const Inspection& found) WRITEAHEAD_REQUIRES(mutex_);

  const std::shared_ptr<SegmentStore> store_;
  const std::shared_ptr<SegmentTable> table_;
  std::atomic<uint64_t> epoch_ = 0;
  std::atomic<uint64_t> truncations_ = 0;    // committed ones, by the root
  std::atomic<uint64_t> quiet_changes_ = 0;  // ControlSigns::changes when none was on its way
  std::atomic<bool> has_polled_ = false;     // a wait ended without a change

  Mutex mutex_;
  bool is_live_ WRITEAHEAD_GUARDED_BY(mutex_) = false;       // the last look found a writer at work
  uint64_t seen_changes_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;  // before the last look
  uint64_t rotations_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;
  SegmentContents contents_ WRITEAHEAD_GUARDED_BY(mutex_);  // of the last segment

  Mutex wait_mutex_;  // where there is no page to wait on
  CondVar interrupted_;
};

}  // namespace writeahead::internal
