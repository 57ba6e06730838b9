// Committer: group commit. Many appenders, one frame, one write, one barrier.
//
// Whoever comes when nobody commits leads: it takes the queue, makes a frame of it, writes it, and
// hands leadership on to the first of those who came meanwhile. A single writer therefore never
// waits for another thread. After the first failed write the committer writes nothing more.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/mutex.h"
#include "commit/frame_builder.h"
#include "commit/pending_append.h"
#include "format/root_slot.h"
#include "format/segment_header.h"
#include "segment/append_buffer.h"
#include "segment/segment_store.h"
#include "segment/segment_table.h"
#include "writeahead/env.h"
#include "writeahead/options.h"
#include "writeahead/result.h"
#include "writeahead/stats.h"

namespace writeahead::internal {

/// A frame's count of records has 32 bits; this leaves room to add without a look at overflow.
inline constexpr uint64_t kMaxFrameRecords = 1ULL << 31;

/// What a committer starts from.
struct CommitStart {
  Identifier log_id{};
  uint64_t epoch = 0;
  uint64_t first_number = 1;              ///< For a log that has no segment yet.
  std::shared_ptr<SegmentWriter> active;  ///< Null: the next append begins a segment.
  SegmentHeader active_header;
  LogPosition position;
};

class Committer {
 public:
  Committer(SegmentStore& store, SegmentTable& table, Env& env, const Options& options,
            CommitStart start);

  /// Appends and returns when the answer is set. The error, if any, is in `append.error`.
  void append(PendingAppend& append) WRITEAHEAD_EXCLUDES(mutex_);

  /// Returns when nothing is on its way and all that was issued is durable, or the committer
  /// failed; appends wait in the queue until resume(). One caller at a time.
  void pause() WRITEAHEAD_EXCLUDES(mutex_);
  void resume() WRITEAHEAD_EXCLUDES(mutex_);
  /// While paused: where the next append goes, and the number of the next segment to be begun.
  [[nodiscard]] const LogPosition& position() const { return position_; }
  [[nodiscard]] uint64_t next_number() const { return next_number_; }
  /// While paused: the segment that was prepared to be the next one, if there is one. It is the
  /// caller's from here on.
  [[nodiscard]] std::shared_ptr<SegmentWriter> take_standby() { return std::move(standby_); }
  /// While paused: goes on from another place. Without an active segment the next append begins
  /// one with next_number(). Allocates nothing.
  void restart(CommitStart start) WRITEAHEAD_EXCLUDES(mutex_);

  /// Refuses new appends with `error`, and returns when those that came before are done.
  void close(const Error& error) WRITEAHEAD_EXCLUDES(mutex_);
  /// After an I/O error: nothing more is written; every append answers `failed` with this cause,
  /// the waiting ones too. The first cause stays.
  void fail(const Error& cause) WRITEAHEAD_EXCLUDES(mutex_);
  /// The failure, if there was one.
  [[nodiscard]] std::optional<Error> failure() const WRITEAHEAD_EXCLUDES(mutex_);

  [[nodiscard]] Lsn end_lsn() const { return Lsn(end_lsn_.load(std::memory_order_acquire)); }
  [[nodiscard]] Lsn durable_lsn() const {
    return Lsn(durable_lsn_.load(std::memory_order_acquire));
  }
  /// When the last frame became durable, by the monotonic clock; 0 if there was none.
  [[nodiscard]] uint64_t last_commit_ns() const { return last_commit_ns_.load(); }
  /// Appends that no leader has taken yet.
  [[nodiscard]] uint64_t queued() const { return queued_.load(std::memory_order_relaxed); }
  /// The position that is durable and the segment it lies in.
  [[nodiscard]] ProvenPosition durable_position() const WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] Stats stats() const WRITEAHEAD_EXCLUDES(mutex_);

 private:
  struct Group {
    PendingAppend* first = nullptr;
    uint64_t body_bytes = 0;
    uint64_t appends = 0;
    uint64_t records = 0;
    uint64_t payload_bytes = 0;
  };

  void lead(PendingAppend& own) WRITEAHEAD_EXCLUDES(mutex_);
  void await_company();
  [[nodiscard]] Result<void> make_room(uint64_t body_bytes);
  [[nodiscard]] Group take_group() WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] Result<void> commit(const Group& group) WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] SegmentHeader next_header(uint64_t time_ns) const;
  void publish(const Group& group, const FrameHeader& frame) WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] Group refuse_all(Group group, const Error& error) WRITEAHEAD_EXCLUDES(mutex_);
  void hand_on() WRITEAHEAD_EXCLUDES(mutex_);
  static void wake(const Group& group, const PendingAppend& own);
  [[nodiscard]] bool fits(uint64_t body_bytes) const;

  SegmentStore& store_;
  SegmentTable& table_;
  Env& env_;
  const uint64_t segment_bytes_;
  const uint64_t group_wait_ns_;
  const Identifier log_id_;

  // The leader's own: leadership passes under the mutex, so no two threads touch these at once.
  std::shared_ptr<SegmentWriter> active_;
  std::shared_ptr<SegmentWriter> standby_;  // prepared, and not begun yet
  uint64_t epoch_;
  SegmentHeader active_header_;
  SegmentBinding binding_;
  LogPosition position_;
  uint64_t next_number_;
  bool must_rotate_;  // nothing may be added to the active segment
  AppendBuffer buffer_;
  uint64_t last_group_ = 0;

  std::atomic<uint64_t> end_lsn_;
  std::atomic<uint64_t> durable_lsn_;
  std::atomic<uint64_t> last_commit_ns_ = 0;
  std::atomic<uint64_t> queued_ = 0;

  mutable Mutex mutex_;
  CondVar idle_;
  PendingAppend* head_ WRITEAHEAD_GUARDED_BY(mutex_) = nullptr;
  PendingAppend* tail_ WRITEAHEAD_GUARDED_BY(mutex_) = nullptr;
  bool is_led_ WRITEAHEAD_GUARDED_BY(mutex_) = false;
  bool is_pause_wanted_ WRITEAHEAD_GUARDED_BY(mutex_) = false;
  std::optional<Error> closed_ WRITEAHEAD_GUARDED_BY(mutex_);
  std::optional<Error> failure_ WRITEAHEAD_GUARDED_BY(mutex_);
  uint64_t durable_number_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;
  Stats stats_ WRITEAHEAD_GUARDED_BY(mutex_);
};

}  // namespace writeahead::internal
