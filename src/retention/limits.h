// Limits: how much of its past a log keeps, by bytes, by count of segments, and by age.
//
// It only says up to where records need not be kept; the trim is the log's. Ages are counted by the
// monotonic clock while the log is open, so that a wall clock that jumps drops nothing; only the
// age that a segment has at opening is told by the wall clock.
#pragma once

#include <cstdint>
#include <map>
#include <span>

#include "segment/segment_table.h"
#include "writeahead/env.h"
#include "writeahead/lsn.h"
#include "writeahead/options.h"

namespace writeahead::internal {

/// Used by one thread at a time.
class Limits {
 public:
  /// `segments` are those at opening, and `last_time_ns` is the time of the newest frame.
  Limits(const Options& options, Env& env, std::span<const SegmentView> segments,
         uint64_t last_time_ns);

  /// Whether any limit is set.
  [[nodiscard]] bool is_set() const;

  struct Verdict {
    Lsn before;           ///< Records below it need not be kept.
    uint64_t due_ns = 0;  ///< When age alone may say more; UINT64_MAX for never.
  };
  /// `last_commit_ns` is when the last frame was done, 0 if there was none since opening; `now_ns`
  /// is the monotonic clock.
  [[nodiscard]] Verdict judge(std::span<const SegmentView> segments, uint64_t last_commit_ns,
                              uint64_t now_ns);

 private:
  [[nodiscard]] size_t count_too_many(std::span<const SegmentView> segments) const;
  void note_closed(std::span<const SegmentView> segments, int64_t now_ns);

  const uint64_t most_bytes_;
  const uint64_t most_segments_;
  const int64_t longest_age_ns_;
  int64_t newest_ns_;  // monotonic time of the newest frame at opening; before boot if negative
  std::map<uint64_t, int64_t> closed_ns_;  // when a segment got its last frame at the latest
};

}  // namespace writeahead::internal
