// StandbyKeeper: segments that are prepared ahead, so that no append waits for one.
//
// A standby has its name, size and blocks durable before it is ready. They are made several at a
// time, because the syncs of a group cost little more than one, and in slices, because the thread
// that makes them has other work. A trimmed segment is recycled where there is one: its blocks are
// there, and need not be filled. Numbers are handed out in order and without a gap.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "retention/space_quota.h"
#include "retention/trimmed_segments.h"
#include "segment/segment_store.h"
#include "writeahead/options.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// A segment that is ready to take its first frame.
struct Standby {
  uint64_t number = 0;
  std::shared_ptr<SegmentWriter> writer;
};

/// Thread-safe. Only make() and step() do I/O, one at a time.
class StandbyKeeper {
 public:
  /// Segments of Options::segment_bytes, from `next_number` on.
  StandbyKeeper(SegmentStore& store, SpaceQuota& quota, TrimmedSegments& trimmed,
                const Options& options, uint64_t next_number);

  /// The next standby if it is ready and has room for so many bytes of header and frames.
  [[nodiscard]] std::optional<Standby> take(uint64_t needed_bytes) WRITEAHEAD_EXCLUDES(mutex_);
  /// Somebody asks for a standby and does not wait: step() makes one, if it would not otherwise.
  void want() { is_wanted_.store(true); }
  /// Whether nobody has taken it since.
  [[nodiscard]] bool is_wanted() const { return is_wanted_.load(); }
  /// The number of the next one that is taken.
  [[nodiscard]] uint64_t next_number() const WRITEAHEAD_EXCLUDES(mutex_);
  /// Takes one back that was not used; the next one again.
  void give_back(Standby standby) WRITEAHEAD_EXCLUDES(mutex_);
  /// Makes the next one, or makes it longer, so that take() would have it; false if the quota is
  /// used up. `no_space` leaves all as it was, but that nothing is kept for recycling any more.
  /// Throws only std::bad_alloc.
  [[nodiscard]] Result<bool> make(uint64_t needed_bytes) WRITEAHEAD_EXCLUDES(mutex_, work_mutex_);
  /// Whether the quota would allow so much if all else was trimmed.
  [[nodiscard]] bool may_fit_later(uint64_t needed_bytes) const;
  /// The `no_space` of a quota that is used up.
  [[nodiscard]] Error quota_error() const;

  /// One slice of the work; false if all that is wanted, or allowed, is ready. Errors as in
  /// create() and fill_slice(): what is half made is dropped, and what is ready stays.
  [[nodiscard]] Result<bool> step(uint64_t slice) WRITEAHEAD_EXCLUDES(mutex_, work_mutex_);
  /// The slice that is to be made now if so much of the active segment is `used`: 0 if it is too
  /// early for one, nothing if step() has nothing to do. An append that meets a slice waits for it:
  /// so there are no more than it takes to be ready in time, unless the log `is_quiet`.
  [[nodiscard]] std::optional<uint64_t> next_slice(double used, bool is_quiet)
      WRITEAHEAD_EXCLUDES(mutex_, work_mutex_);
  /// After how long to ask again: nobody uses up a quarter of a segment meanwhile.
  [[nodiscard]] std::chrono::nanoseconds time_between_slices() const;
  /// Standbys that are ready, and the bytes of one.
  [[nodiscard]] uint64_t ready() const WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] uint64_t standby_bytes() const { return standby_bytes_; }
  /// How many are kept ready, but for a group that is not yet worth making; as many trimmed
  /// segments are of use.
  [[nodiscard]] uint64_t target() const { return target_; }
  /// How many were made of trimmed segments.
  [[nodiscard]] uint64_t recycled() const { return recycled_.load(std::memory_order_relaxed); }

 private:
  [[nodiscard]] Result<bool> try_make(uint64_t needed_bytes) WRITEAHEAD_REQUIRES(work_mutex_);
  [[nodiscard]] bool is_behind(double used) const WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] uint64_t wanted() const WRITEAHEAD_REQUIRES(work_mutex_);
  [[nodiscard]] Result<bool> work(uint64_t wanted, uint64_t slice) WRITEAHEAD_REQUIRES(work_mutex_);
  [[nodiscard]] Result<void> finish() WRITEAHEAD_REQUIRES(work_mutex_);
  void drop_unfinished() WRITEAHEAD_REQUIRES(work_mutex_);
  void drop_ready() WRITEAHEAD_REQUIRES(work_mutex_);
  void drop_last() WRITEAHEAD_REQUIRES(work_mutex_);
  [[nodiscard]] Result<bool> begin() WRITEAHEAD_REQUIRES(work_mutex_);
  [[nodiscard]] Result<bool> begin_last() WRITEAHEAD_REQUIRES(work_mutex_);
  [[nodiscard]] std::shared_ptr<SegmentWriter> recycle() WRITEAHEAD_REQUIRES(work_mutex_);
  void give_up_file(uint64_t number);
  [[nodiscard]] Result<bool> lengthen(const Standby& standby, uint64_t bytes)
      WRITEAHEAD_REQUIRES(work_mutex_);

  SegmentStore& store_;
  SpaceQuota& quota_;
  TrimmedSegments& trimmed_;
  const uint64_t standby_bytes_;  // of a standby
  const uint64_t target_;         // standbys to keep ready
  const uint64_t group_;          // standbys that share their syncs
  std::atomic<bool> is_wanted_ = false;

  Mutex work_mutex_;  // held during I/O
  std::deque<Standby> unfinished_ WRITEAHEAD_GUARDED_BY(work_mutex_);
  uint64_t filled_ WRITEAHEAD_GUARDED_BY(work_mutex_) = 0;   // of unfinished_, from its beginning
  uint64_t next_number_ WRITEAHEAD_GUARDED_BY(work_mutex_);  // to be created
  std::atomic<uint64_t> recycled_ = 0;
  std::atomic<double> begun_part_ = 0;  // how much of unfinished_ is filled

  mutable Mutex mutex_;
  // Has room for one more than are in it: one that is given back needs no memory.
  std::vector<Standby> ready_ WRITEAHEAD_GUARDED_BY(mutex_);
  bool is_lengthening_ WRITEAHEAD_GUARDED_BY(mutex_) = false;  // the first of ready_
  uint64_t next_taken_ WRITEAHEAD_GUARDED_BY(mutex_);
};

}  // namespace writeahead::internal
