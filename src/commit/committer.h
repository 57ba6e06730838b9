// Committer: group commit. Many appenders, one frame, one write, one barrier.
//
// Admission gives an append its place in the open frame. Whoever comes when nobody leads, leads: it
// closes the frame, writes it, and hands leadership on to somebody who waits for the next one. A
// single writer therefore never waits for another thread. Frames are completed in the order of
// their addresses. After the first failed write the committer writes nothing more.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "base/mutex.h"
#include "commit/completions.h"
#include "commit/durable_waiters.h"
#include "commit/follower_alarm.h"
#include "commit/frame_builder.h"
#include "commit/pending_append.h"
#include "commit/pending_frame.h"
#include "format/root_slot.h"
#include "format/segment_header.h"
#include "read/own_progress.h"
#include "retention/producer_book.h"
#include "retention/standby_keeper.h"
#include "segment/segment_store.h"
#include "segment/segment_table.h"
#include "writeahead/env.h"
#include "writeahead/options.h"
#include "writeahead/result.h"
#include "writeahead/stats.h"

namespace writeahead::internal {

/// What a committer starts from.
struct CommitStart {
  Identifier log_id{};
  uint64_t epoch = 0;
  uint64_t first_number = 1;              ///< For a log that has no segment yet.
  std::shared_ptr<SegmentWriter> active;  ///< Null: the next append begins a segment.
  SegmentHeader active_header;
  LogPosition position;
  std::optional<ProducerBook> producers = std::nullopt;  ///< Of a restart: as before, if none.
};

/// A record for append_async; its hash was made outside of every lock.
struct AsyncRecord {
  std::span<const std::byte> payload;
  uint64_t payload_hash = 0;
  AppendOptions options;
};

/// What a committer works with; all of it outlives the committer.
struct CommitParts {
  SegmentStore& store;
  SegmentTable& table;
  StandbyKeeper& standbys;
  Completions& completions;
  OwnProgress& progress;
  Env& env;
  // Called with the committer's mutex held or without.
  std::function<void()> wake_background;
  /// Has it look within that time, which it may do by itself anyway.
  std::function<void(std::chrono::nanoseconds)> remind_background;
  std::function<void()> wake_second;  ///< Whoever writes a frame beside the background thread.
};

class Committer {
 public:
  Committer(CommitParts parts, const Options& options, CommitStart start);

  /// Appends and returns when the append has its level. The error, if any, is in `append.error`.
  void append(PendingAppend& append) WRITEAHEAD_EXCLUDES(mutex_);

  /// An append that nobody waits for: copies it, and returns once it has its place. `can_wait`:
  /// whether to wait for the budget and for a segment, else `would_block`. On an error `target` is
  /// left to the caller. Throws only std::bad_alloc, and then nothing was appended.
  [[nodiscard]] Result<Appended> append_async(const AsyncRecord& record, CompletionTarget& target,
                                              bool can_wait) WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] Result<Appended> append_async(const Batch& batch, const BatchOptions& options,
                                              CompletionTarget& target, bool can_wait)
      WRITEAHEAD_EXCLUDES(mutex_);

  /// The log begins at `lsn` now: what producers appended below is forgotten.
  void forget_producers_below(Lsn lsn) WRITEAHEAD_EXCLUDES(mutex_);
  /// Behind the newest append of a producer that is remembered.
  [[nodiscard]] Lsn producers_end() const WRITEAHEAD_EXCLUDES(mutex_);

  /// Makes everything that has a place by now durable.
  [[nodiscard]] Result<void> sync() WRITEAHEAD_EXCLUDES(mutex_);
  /// Waits until the record at `lsn` is durable; starts no barrier. `would_block` if time ran out
  /// or the wait was stopped; `failed`, `closed`.
  [[nodiscard]] Result<void> wait_durable(
      Lsn lsn, std::optional<std::chrono::steady_clock::time_point> deadline,
      const std::stop_token& stop) WRITEAHEAD_EXCLUDES(mutex_);

  /// For threads of the log's own: commits a frame that is due and that no thread waits for. False
  /// if there was none.
  bool commit_due() WRITEAHEAD_EXCLUDES(mutex_);
  /// Makes due what has waited long enough; returns after how long to come again.
  [[nodiscard]] std::chrono::nanoseconds make_due() WRITEAHEAD_EXCLUDES(mutex_);
  /// The background's part of telling followers, as FollowerAlarm::step().
  [[nodiscard]] std::chrono::nanoseconds wake_followers() { return alarm_.step(); }

  /// Refuses new appends with `error`, and returns when those that came before are done, durable
  /// and out of the way.
  void close(const Error& error) WRITEAHEAD_EXCLUDES(mutex_);
  /// After an I/O error: nothing more is written; every append answers `failed` with this cause,
  /// the waiting ones too. The first cause stays.
  void fail(const Error& cause) WRITEAHEAD_EXCLUDES(mutex_);
  /// The failure, if there was one.
  [[nodiscard]] std::optional<Error> failure() const WRITEAHEAD_EXCLUDES(mutex_);

  /// Waits until nothing is on its way and all is durable, and lets nothing in until resume().
  /// The error is the failure, or that the log was closed; then there is nothing to resume.
  [[nodiscard]] Result<void> pause() WRITEAHEAD_EXCLUDES(mutex_);
  void resume() WRITEAHEAD_EXCLUDES(mutex_);
  /// While paused: where the log stands.
  [[nodiscard]] const LogPosition& position() const { return position_; }
  [[nodiscard]] const SegmentHeader& active_header() const { return active_header_; }
  /// While paused: goes on from somewhere else, in another segment.
  void restart(CommitStart start) WRITEAHEAD_EXCLUDES(mutex_);
  /// Space was given back: appends that wait for it try again.
  void retry_admission() WRITEAHEAD_EXCLUDES(mutex_);

  /// Behind the last append that was admitted.
  [[nodiscard]] Lsn end_lsn() const { return Lsn(end_lsn_.load(std::memory_order_acquire)); }
  [[nodiscard]] Lsn durable_lsn() const {
    return Lsn(durable_lsn_.load(std::memory_order_acquire));
  }
  /// How much of the active segment has been given away, and whether anything is on its way there.
  struct SegmentUse {
    double part = 1;  ///< From 0 to 1; 1 if nothing more fits or there is none.
    bool is_writing = false;
  };
  [[nodiscard]] SegmentUse segment_use() const WRITEAHEAD_EXCLUDES(mutex_);
  /// When the last frame was done, by the monotonic clock; 0 if there was none.
  [[nodiscard]] uint64_t last_commit_ns() const { return last_commit_ns_.load(); }
  /// Appends whose threads wait and whose frames are not issued yet.
  [[nodiscard]] uint64_t queued() const { return queued_.load(std::memory_order_relaxed); }
  /// The position that is durable and the segment it lies in.
  [[nodiscard]] ProvenPosition durable_position() const WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] Stats stats() const WRITEAHEAD_EXCLUDES(mutex_);

 private:
  using Frame = std::unique_ptr<PendingFrame>;
  /// What is told to waiting threads once no lock is held.
  struct Done {
    PendingAppend* first = nullptr;
    PendingAppend* last = nullptr;
  };

  /// What is to get a place.
  struct Request {
    uint64_t bytes = 0;
    uint64_t records = 0;
    Durability durability = Durability::durable;
    bool can_wait = true;
    Mark mark = std::nullopt;
    bool is_due = false;  // a callback is to be told

    /// What the first one has to have for its repeat to be answered at once. Callbacks have the
    /// order of the addresses: that of the repeat does not come before that of the first.
    [[nodiscard]] Durability repeat_level() const {
      return is_due ? std::min(durability, Durability::written) : durability;
    }
  };
  struct AsyncRequest : Request {
    uint64_t payload_bytes = 0;
  };
  /// The frame to join. Null for a repeat of what has its level already.
  struct Admission {
    PendingFrame* frame = nullptr;
    std::optional<Appended> first = std::nullopt;  // of a repeat, which joins without its records
  };

  // Admission (admission.cc).
  [[nodiscard]] std::optional<Error> refusal() const WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] bool has_untold_shortage() const WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Error would_block() const;
  [[nodiscard]] bool waits_for_space() const WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Error full_store() WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Error note_shortage(Error error) WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<Admission> admit(const Request& request) WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] bool may_join_open(const Request& request) const WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<void> make_room(const Request& request) WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] bool has_room(const Request& request) const WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<void> make_standby(uint64_t needed, bool can_wait)
      WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Frame make_frame(uint64_t bytes) WRITEAHEAD_REQUIRES(mutex_);
  void open_frame(uint64_t bytes) WRITEAHEAD_REQUIRES(mutex_);
  void close_open_frame() WRITEAHEAD_REQUIRES(mutex_);
  void begin_segment(Standby standby, const Request& request) WRITEAHEAD_REQUIRES(mutex_);
  void join(PendingFrame& frame, PendingAppend& append) WRITEAHEAD_REQUIRES(mutex_);
  void note_joined(PendingFrame& frame, Durability level, bool is_due) WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] bool is_over_budget(uint64_t bytes) const WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Result<void> wait_for_budget(uint64_t bytes, bool can_wait)
      WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] AsyncAppends* growing(const Request& request) WRITEAHEAD_REQUIRES(mutex_);
  template <class Add>
  [[nodiscard]] Result<Appended> admit_async(const AsyncRequest& request, CompletionTarget& target,
                                             const Add& add) WRITEAHEAD_EXCLUDES(mutex_);

  // Appends of producers (repeats.cc).
  [[nodiscard]] Result<std::optional<Appended>> find_first(const Mark& mark) const
      WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] bool has_level(Lsn end_lsn, Durability level) const WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] uint64_t table_bytes(const SegmentPlace& place) const WRITEAHEAD_REQUIRES(mutex_);
  void remember(const Mark& mark, const Appended& range) WRITEAHEAD_REQUIRES(mutex_);

  // Leading (committer.cc).
  void begin_at(CommitStart start) WRITEAHEAD_REQUIRES(mutex_);
  void follow(PendingAppend& append, bool leads) WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] PendingFrame* next_frame() const WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] Frame take_front() WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] bool can_issue(const PendingFrame& frame) const WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] bool may_be_followed(const PendingFrame& frame) const;
  [[nodiscard]] bool try_lead() WRITEAHEAD_REQUIRES(mutex_);
  void start_leader() WRITEAHEAD_REQUIRES(mutex_);
  void await_company();
  void lead(bool awaits_company) WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] PendingFrame* take_next(Done& done) WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] SegmentHeader next_header(const PendingFrame& frame, uint64_t time_ns) const;
  [[nodiscard]] Result<void> prepare(PendingFrame& frame) WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] Result<void> write(PendingFrame& frame, bool has_unsynced);
  void complete(PendingFrame& frame, const Result<void>& written, bool leads)
      WRITEAHEAD_EXCLUDES(mutex_);
  void settle(PendingFrame& frame) WRITEAHEAD_REQUIRES(mutex_);
  void count(const PendingFrame& frame) WRITEAHEAD_REQUIRES(mutex_);
  void advance_durable() WRITEAHEAD_REQUIRES(mutex_);
  void give_up(PendingFrame& frame) WRITEAHEAD_REQUIRES(mutex_);
  void give_up_all(Done& done) WRITEAHEAD_REQUIRES(mutex_);
  void retire(Frame frame, Done& done) WRITEAHEAD_REQUIRES(mutex_);
  bool tell_followers() WRITEAHEAD_EXCLUDES(mutex_);
  static void wake(const Done& done);

  // The log's life (lifecycle.cc).
  [[nodiscard]] bool is_all_durable() const WRITEAHEAD_REQUIRES(mutex_);
  void require_sync() WRITEAHEAD_REQUIRES(mutex_);
  void drain() WRITEAHEAD_REQUIRES(mutex_);
  void set_failure(const Error& cause) WRITEAHEAD_REQUIRES(mutex_);

  SegmentStore& store_;
  SegmentTable& table_;
  StandbyKeeper& standbys_;
  Completions& completions_;
  OwnProgress& progress_;
  Env& env_;
  const std::function<void()> wake_background_;
  const std::function<void(std::chrono::nanoseconds)> remind_background_;
  const std::function<void()> wake_second_;
  FollowerAlarm alarm_;
  const uint64_t group_wait_ns_;
  const uint64_t sync_interval_ns_;
  const uint64_t flush_interval_ns_;
  const uint64_t flush_bytes_;
  const uint64_t budget_bytes_;
  const bool waits_for_quota_;
  const uint64_t max_in_flight_;
  const uint32_t alignment_;
  const uint64_t most_producers_;
  const Identifier log_id_;
  uint64_t epoch_;

  // The leader's own: leadership passes under the mutex, so no two threads touch these at once.
  std::shared_ptr<SegmentWriter> active_;
  SegmentHeader active_header_;
  SegmentBinding binding_;
  LogPosition position_;       // behind the last frame that was issued
  bool has_unsynced_ = false;  // a written frame is not durable yet

  std::atomic<uint64_t> end_lsn_;
  std::atomic<uint64_t> durable_lsn_;
  std::atomic<uint64_t> told_lsn_;  // up to where followers were told
  std::atomic<uint64_t> last_commit_ns_ = 0;
  std::atomic<uint64_t> queued_ = 0;
  std::atomic<uint64_t> last_group_ = 0;  // threads that waited for the last frame

  mutable Mutex mutex_;
  CondVar idle_;       // nobody leads, or nothing is left
  CondVar admission_;  // whatever admission or the budget waits for may have changed
  DurableWaiters durable_waiters_ WRITEAHEAD_GUARDED_BY(mutex_);
  std::vector<Frame> frames_ WRITEAHEAD_GUARDED_BY(mutex_);       // in order; those in flight first
  size_t issued_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;               // how many of them are in flight
  bool in_flight_overlap_ WRITEAHEAD_GUARDED_BY(mutex_) = false;  // another may join them
  std::vector<Frame> spares_ WRITEAHEAD_GUARDED_BY(mutex_);
  SegmentPlace place_ WRITEAHEAD_GUARDED_BY(mutex_);  // where new frames go
  Lsn next_lsn_ WRITEAHEAD_GUARDED_BY(mutex_);        // behind the last closed frame
  uint64_t next_ordinal_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;
  ProducerBook producers_ WRITEAHEAD_GUARDED_BY(mutex_);  // of all that have a place
  bool is_led_ WRITEAHEAD_GUARDED_BY(mutex_) = false;
  bool is_paused_ WRITEAHEAD_GUARDED_BY(mutex_) = false;
  bool is_making_room_ WRITEAHEAD_GUARDED_BY(mutex_) = false;
  uint64_t shortages_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;
  uint64_t retries_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;  // calls of retry_admission()
  std::optional<Error> last_shortage_ WRITEAHEAD_GUARDED_BY(mutex_);
  uint64_t async_bytes_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;
  Lsn written_lsn_ WRITEAHEAD_GUARDED_BY(mutex_);
  uint64_t written_number_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;
  uint64_t unsynced_since_ns_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;
  uint64_t last_buffered_ns_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;  // when one began a frame
  std::optional<Error> closed_ WRITEAHEAD_GUARDED_BY(mutex_);
  std::optional<Error> failure_ WRITEAHEAD_GUARDED_BY(mutex_);
  uint64_t durable_number_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;
  Stats stats_ WRITEAHEAD_GUARDED_BY(mutex_);
};

}  // namespace writeahead::internal
