// Giving space back: trims, holds and truncations of an open log.
// Each is one write of the root, which commits it; files go only when both of its slots agree.
#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/error.h"
#include "commit/commit_pause.h"
#include "log_state.h"
#include "recovery/producers.h"
#include "segment/segment_size.h"

namespace writeahead::internal {

std::optional<Error> LogState::write_refusal(std::string_view action) const {
  if (is_released_) return closed_error();
  if (auto failure = committer_->failure()) return failure;
  if (is_owner()) return std::nullopt;
  return fork_error(action);
}

/// Nothing is written any more; the answer is the first cause, which may be an earlier one.
Result<void> LogState::fail(const Error& cause) {
  committer_->fail(cause);
  return std::unexpected(*committer_->failure());
}

/// Both slots are written. A failure fails the log.
Result<void> LogState::write_root(RootState next) {
  if (auto written = store_->write_root(next); !written) return fail(written.error());
  root_ = std::move(next);
  return {};
}

Result<void> LogState::trim_before(Lsn lsn) {
  if (!is_owner()) return std::unexpected(fork_error("trim log"));
  MutexLock lock(mutex_);
  if (auto refusal = write_refusal("trim log")) return std::unexpected(*refusal);
  return trim_below(lsn);
}

/// The part of the background's work that drops what no limit keeps.
Result<BackgroundThread::Pause> LogState::obey_limits() {
  if (!limits_.is_set()) return BackgroundThread::kForEver;
  const uint64_t now_ns = env_.monotonic_ns();
  // The table's, and not the keeper's: a segment that is only on its way is not judged yet.
  const LimitsSeen seen{.last_number = view_->table().last_number(),
                        .hold = holds_->lowest(),
                        .due_ns = limits_seen_.due_ns};
  const bool is_as_before =
      seen.last_number == limits_seen_.last_number && seen.hold == limits_seen_.hold;
  if (!is_as_before || now_ns >= seen.due_ns) {
    const auto verdict = limits_.judge(view_->table().all(), committer_->last_commit_ns(), now_ns);
    limits_seen_ = seen;
    limits_seen_.due_ns = verdict.due_ns;
    if (auto trimmed = trim_below(verdict.before); !trimmed) {
      return std::unexpected(trimmed.error());
    }
  }
  if (limits_seen_.due_ns == UINT64_MAX) return BackgroundThread::kForEver;
  return std::chrono::nanoseconds(std::max(limits_seen_.due_ns, now_ns + 1) - now_ns);
}

Result<void> LogState::trim_below(Lsn lsn) {
  const Lsn limit = std::min(lsn, holds_->lowest().value_or(lsn));
  const LogExtent extent = view_->table().extent();
  if (limit <= extent.first.lsn) return {};
  const bool drops_all = limit >= extent.end_lsn;
  // Where a frame may wait for space, what gives some back comes first: nobody trims until the
  // frames before it are done.
  const bool empties_last = store_->traits().may_be_full;
  Result<void> done{};
  if (drops_all && !empties_last) done = trim_to_empty(limit);
  // Somebody may have appended meanwhile; and the last segment may hold nothing as it is.
  const auto trim = done ? trim_closed(view_->table().all(), limit) : std::nullopt;
  if (trim) done = apply(*trim, committer_->durable_position());
  // After the commits went on: this takes as long as the file system likes.
  if (done) done = remove_trimmed();
  if (!done || !drops_all || !empties_last || store_->is_full()) return done;
  done = trim_to_empty(limit);
  return done ? remove_trimmed() : done;
}

/// Drops all segments, if all records lie below `limit`. The next append begins another one, at the
/// same Lsn.
Result<void> LogState::trim_to_empty(Lsn limit) {
  // Nobody may append to the last segment while it goes.
  const CommitPause pause(*committer_);
  if (!pause.result()) return pause.result();
  const auto segments = view_->table().all();
  if (segments.empty() || segments.back().is_empty()) return {};
  if (segments.back().end_lsn > limit) return {};
  const Trim trim = trim_all(segments, standbys_.next_number());
  LogPosition position = committer_->position();
  position.digest = 0;
  auto done = apply(trim, {.number = trim.first.number, .lsn = trim.first.lsn});
  if (!done) return done;
  committer_->restart({.log_id = root_.log_id,
                       .epoch = root_.epoch,
                       .first_number = trim.first.number,
                       .active = nullptr,
                       .active_header = {},
                       .position = position});
  return {};
}

Result<void> LogState::apply(const Trim& trim, const ProvenPosition& proven) {
  trimmed_.reserve(trim.dropped.size());
  RootState next = root_;
  next.first = trim.first;
  next.proven = proven;
  next.holds = holds_->all();
  // CRASH: the log begins at one or the other position; the files are all there.
  if (auto written = write_root(std::move(next)); !written) return written;
  committer_->forget_producers_below(trim.first.lsn);
  view_->table().trim(trim.first);
  view_->table().mapped().remove(0, trim.first.number);
  trimmed_.add(trim.dropped, true);
  return {};
}

/// The log has given them up for good: want of memory only leaves them to background work.
Result<void> LogState::remove_trimmed() {
  Result<bool> removed = false;
  try {
    removed = trimmed_.remove(standbys_.target());
  } catch (const std::bad_alloc&) {
    removed = false;
  }
  if (!removed) return fail(removed.error());
  committer_->retry_admission();
  return {};
}

Result<void> LogState::truncate_from(Lsn lsn) {
  if (!is_owner()) return std::unexpected(fork_error("truncate log"));
  MutexLock lock(mutex_);
  if (auto refusal = write_refusal("truncate log")) return std::unexpected(*refusal);
  if (!store_->traits().can_truncate) {
    return std::unexpected(make_error(ErrorCode::invalid_argument, "truncate log",
                                      "a log of objects cannot be truncated",
                                      {.path = store_->path(), .offset = {}, .lsn = lsn}));
  }
  Result<void> done{};
  {
    const CommitPause pause(*committer_);
    done = pause.result() ? truncate_paused(lsn) : pause.result();
  }
  return done ? remove_trimmed() : done;
}

/// The next standby, made if it is not ready.
Result<Standby> LogState::take_standby() {
  while (true) {
    if (auto standby = standbys_.take(kSegmentHeaderBytes)) return std::move(*standby);
    auto made = standbys_.make(kSegmentHeaderBytes);
    if (made && *made) continue;
    if (made) return std::unexpected(standbys_.quota_error());
    if (made.error().code() == ErrorCode::no_space) return std::unexpected(made.error());
    committer_->fail(made.error());
    return std::unexpected(*committer_->failure());
  }
}

/// Everything that may be refused, or needs memory or space, comes before the commit.
Result<void> LogState::truncate_paused(Lsn lsn) {
  const auto refuse = [&](ErrorCode code, std::string_view cause) {
    return std::unexpected(make_error(code, "truncate log", cause,
                                      {.path = store_->path(), .offset = {}, .lsn = lsn}));
  };
  SegmentTable& table = view_->table();
  const LogExtent extent = table.extent();
  if (lsn < extent.first.lsn) return refuse(ErrorCode::trimmed, "the log begins behind it");
  if (lsn > extent.end_lsn) return refuse(ErrorCode::not_found, "the log ends before it");
  if (lsn == extent.end_lsn) return {};
  auto cut = find_cut(*store_, table, lsn);
  if (!cut) return std::unexpected(cut.error());
  auto producers = producers_below(lsn);
  if (!producers) return std::unexpected(producers.error());
  auto standby = take_standby();
  if (!standby) return std::unexpected(standby.error());
  try {
    return commit(prepare_truncation(std::move(*cut), *standby), std::move(*producers));
  } catch (const std::bad_alloc&) {
    standbys_.give_back(std::move(*standby));  // Numbers go on without a gap.
    throw;
  }
}

/// What producers had appended when the log ended at `lsn`; nothing if that is what they have now.
Result<std::optional<ProducerBook>> LogState::producers_below(Lsn lsn) {
  if (committer_->producers_end() <= lsn) return std::nullopt;
  std::vector<Stretch> stretches;
  for (const SegmentView& segment : view_->table().all()) {
    if (segment.header.base_lsn >= lsn) break;
    if (!segment.header.is_numbered()) continue;
    stretches.push_back({segment.header, std::min(segment.end_lsn, lsn)});
  }
  auto read = read_producers(*store_, stretches, view_->first_lsn());
  if (!read) return std::unexpected(read.error());
  return std::move(*read);
}

/// All memory that a truncation takes is taken here.
Truncation LogState::prepare_truncation(CutPoint cut, const Standby& standby) {
  RootState before = root_;
  before.holds = holds_->all();
  const uint64_t time_ns = std::max(env_.wall_clock_ns(), committer_->position().time_ns);
  Truncation truncation =
      make_truncation(before, std::move(cut), standby.number, standby.writer, time_ns);
  view_->table().reserve_truncation();
  trimmed_.reserve(truncation.cut.voided.size());
  return truncation;
}

/// The first slot of the root commits; what follows is done again by an opening after a crash.
Result<void> LogState::commit(Truncation truncation, std::optional<ProducerBook> producers) {
  const CutPoint& cut = truncation.cut;
  // Whoever reads the old end and the new count together knows that they do not belong together.
  store_->announce_truncation(truncation.root.truncation_count);
  // CRASH: the log ends at the one or the other place; no byte of a segment was changed.
  if (auto written = write_root(truncation.root); !written) return written;
  // CRASH: the root has all that the header says, and the opening writes it.
  truncation.standby->place(kSegmentHeaderBytes, truncation.buffer);
  auto begun =
      truncation.standby->write(kSegmentHeaderBytes, truncation.buffer, WriteMode::barrier);
  if (!begun) return fail(begun.error());
  LogPosition position = committer_->position();
  position.lsn = cut.lsn;
  position.ordinal = cut.ordinal;
  position.digest = 0;
  view_->table().truncate(std::move(truncation.addition), std::move(truncation.cut.kept));
  // Also the segment that was cut: where it ends now lies inside of it.
  view_->table().mapped().remove(cut.link.number, truncation.header.number);
  view_->set_epoch(root_.epoch);
  holds_->lower_to(cut.lsn);
  sealer_.set_epoch(root_.epoch);
  committer_->restart({.log_id = root_.log_id,
                       .epoch = root_.epoch,
                       .first_number = root_.first.number,
                       .active = std::move(truncation.standby),
                       .active_header = truncation.header,
                       .position = position,
                       .producers = std::move(producers)});
  store_->announce(root_);
  progress_->move_on();  // Readers above the cut are told.
  trimmed_.add(cut.voided, false);
  return {};
}

Result<Hold> LogState::hold(std::string_view name, Lsn lsn) {
  const std::string action = fmt::format("hold log for '{}'", name);
  const auto refuse = [&](ErrorCode code, std::string_view cause) {
    return std::unexpected(
        make_error(code, action, cause, {.path = store_->path(), .offset = {}, .lsn = lsn}));
  };
  if (!is_owner()) return std::unexpected(fork_error(action));
  if (name.empty() || name.size() > kMaxHoldNameBytes) {
    return refuse(ErrorCode::invalid_argument, "a name has 1 to 55 bytes");
  }
  MutexLock lock(mutex_);
  if (auto refusal = write_refusal(action)) return std::unexpected(*refusal);
  if (lsn < view_->first_lsn()) return refuse(ErrorCode::trimmed, "the log begins behind it");
  RootState next = root_;
  next.holds = holds_->all();
  const auto found = std::ranges::find(next.holds, name, &RootHold::name);
  if (found != next.holds.end()) {
    found->lsn = lsn;
  } else if (next.holds.size() == kMaxHolds) {
    return refuse(ErrorCode::invalid_argument, "the log has 48 holds, and no room for more");
  } else {
    next.holds.push_back({.name = std::string(name), .lsn = lsn});
  }
  if (next.holds != root_.holds) {
    // CRASH: the hold is there or not; nobody was told yet.
    if (auto written = write_root(std::move(next)); !written) {
      return std::unexpected(written.error());
    }
  }
  holds_->set(std::string(name), lsn);
  return Hold(std::string(name), holds_);
}

std::vector<HoldInfo> LogState::holds() const {
  std::vector<HoldInfo> infos;
  if (!is_owner()) return infos;
  for (const RootHold& hold : holds_->all()) infos.push_back({.name = hold.name, .lsn = hold.lsn});
  return infos;
}

std::vector<HoldLag> LogState::hold_lags() const {
  std::vector<HoldLag> lags;
  for (const RootHold& hold : holds_->all()) {
    const LogExtent extent = view_->table().extent();
    const Lsn from = std::max(hold.lsn, extent.first.lsn);
    HoldLag& lag = lags.emplace_back(HoldLag{.name = hold.name, .records = 0, .age_ns = 0});
    if (from >= extent.end_lsn) continue;
    lag.bytes = extent.end_lsn - from;
    const auto first = view_->find_place(from);
    if (!first) lag.records = lag.age_ns = std::nullopt;
    if (!first || !*first) continue;
    lag.records = extent.end_ordinal - std::min((*first)->ordinal, extent.end_ordinal);
    const uint64_t now = env_.wall_clock_ns();
    lag.age_ns = now - std::min((*first)->time_ns, now);
  }
  std::ranges::sort(lags, {}, &HoldLag::name);
  return lags;
}

}  // namespace writeahead::internal
