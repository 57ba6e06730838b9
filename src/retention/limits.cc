// Judging segments by bytes, count and age.
// Whole segments go, from the front on. The last one goes by its age alone.
#include "retention/limits.h"

#include <algorithm>
#include <limits>

namespace writeahead::internal {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;
/// Some 146 years: beyond it ages could not be compared any more.
constexpr int64_t kForEver = std::numeric_limits<int64_t>::max() / 2;

/// How old something is that happened at `then`; nothing is younger than now.
int64_t age_of(uint64_t then, uint64_t now) {
  return then >= now ? 0 : static_cast<int64_t>(std::min<uint64_t>(now - then, kForEver));
}

}  // namespace

Limits::Limits(const Options& options, Env& env, std::span<const SegmentView> segments,
               uint64_t last_time_ns)
    : most_bytes_(options.retain_bytes),
      most_segments_(options.retain_segments),
      longest_age_ns_(options.retain_seconds == 0 ||
                              options.retain_seconds > kForEver / kNsPerSecond
                          ? kForEver
                          : static_cast<int64_t>(options.retain_seconds * kNsPerSecond)),
      newest_ns_(0) {
  if (!is_set()) return;
  const uint64_t wall_ns = env.wall_clock_ns();
  const auto now_ns = static_cast<int64_t>(env.monotonic_ns());
  newest_ns_ = now_ns - age_of(last_time_ns, wall_ns);
  for (size_t i = 0; i + 1 < segments.size(); ++i) {
    // A segment begins after the last frame of the one before it.
    const uint64_t closed_by = segments[i + 1].header.created_ns;
    closed_ns_.emplace(segments[i].header.number, now_ns - age_of(closed_by, wall_ns));
  }
}

bool Limits::is_set() const {
  return most_bytes_ != 0 || most_segments_ != 0 || longest_age_ns_ != kForEver;
}

Limits::Verdict Limits::judge(std::span<const SegmentView> segments, uint64_t last_commit_ns,
                              uint64_t now_ns) {
  Verdict verdict{.before = {}, .due_ns = UINT64_MAX};
  if (segments.empty()) return verdict;
  const auto now = static_cast<int64_t>(now_ns);
  note_closed(segments, now);
  const size_t last = segments.size() - 1;
  size_t dropped = count_too_many(segments);
  const auto is_old = [&](size_t i) {
    const int64_t newest = last_commit_ns == 0 ? newest_ns_ : static_cast<int64_t>(last_commit_ns);
    const int64_t then = i < last ? closed_ns_.at(segments[i].header.number) : newest;
    if (now - then >= longest_age_ns_) return true;
    if (longest_age_ns_ != kForEver) verdict.due_ns = static_cast<uint64_t>(then + longest_age_ns_);
    return false;
  };
  while (dropped <= last && is_old(dropped)) ++dropped;
  if (dropped > 0) verdict.before = segments[dropped - 1].end_lsn;
  return verdict;
}

/// How many of the oldest are too many, by their bytes or their count.
size_t Limits::count_too_many(std::span<const SegmentView> segments) const {
  uint64_t bytes = 0;
  size_t kept = 0;
  while (kept < segments.size()) {
    bytes += segments[segments.size() - 1 - kept].header.prepared_bytes;
    const bool is_too_much = most_bytes_ != 0 && bytes > most_bytes_;
    const bool is_one_too_many = most_segments_ != 0 && kept == most_segments_;
    if (kept > 0 && (is_too_much || is_one_too_many)) break;
    ++kept;
  }
  return segments.size() - kept;
}

void Limits::note_closed(std::span<const SegmentView> segments, int64_t now_ns) {
  closed_ns_.erase(closed_ns_.begin(), closed_ns_.lower_bound(segments.front().header.number));
  for (size_t i = 0; i + 1 < segments.size(); ++i) {
    closed_ns_.try_emplace(segments[i].header.number, now_ns);
  }
}

}  // namespace writeahead::internal
