// Following another process's log.
// What is believed comes from verified bytes; the control page only says up to where to look.
#include "recovery/followed_log.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "format/segment_header.h"
#include "recovery/recovery.h"
#include "segment/frame_source.h"

namespace writeahead::internal {
namespace {

/// How often a waiting follower looks whether the writer still lives.
constexpr std::chrono::nanoseconds kPollTime = std::chrono::milliseconds(50);
/// Trims are learned at every so manieth rotation: asking costs a look at the root.
constexpr uint64_t kRotationsPerTrim = 64;
constexpr uint64_t kNeverQuiet = UINT64_MAX;

bool is_same(const SegmentHeader& a, const SegmentHeader& b) {
  return a.number == b.number && a.base_lsn == b.base_lsn && a.base_ordinal == b.base_ordinal &&
         a.link == b.link;
}

}  // namespace

FollowedLog::FollowedLog(std::shared_ptr<SegmentStore> store, const Observation& observed,
                         std::optional<ControlSigns> before)
    : store_(std::move(store)), table_(make_table(observed.found, nullptr)) {
  MutexLock lock(mutex_);
  if (observed.found.tail) contents_ = observed.found.tail->contents;
  note(observed, before);
}

void FollowedLog::note(const Observation& observed, std::optional<ControlSigns> before) {
  const uint64_t count = observed.found.root.truncation_count;
  is_live_ = observed.is_live;
  seen_changes_ = before ? before->changes : 0;
  epoch_.store(observed.found.highest_epoch, std::memory_order_relaxed);
  // Behind the table, so that nobody who sees the new count has read the old table.
  truncations_.store(count, std::memory_order_release);
  // A writer that has announced a truncation may commit it without another sign.
  const bool is_on_its_way = is_live_ && before && before->truncation_count != count;
  quiet_changes_.store(is_on_its_way ? kNeverQuiet : seen_changes_, std::memory_order_release);
}

uint64_t FollowedLog::changes() {
  const auto signs = store_->control_signs();
  return signs ? signs->changes : 0;
}

Progress::Outcome FollowedLog::wait(uint64_t seen, Deadline deadline, const std::stop_token& stop) {
  if (stop.stop_requested()) return Outcome::stopped;
  std::chrono::nanoseconds time = kPollTime;
  if (deadline) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= *deadline) return Outcome::timed_out;
    time = std::min<std::chrono::nanoseconds>(time, *deadline - now);
  }
  bool is_stopped = false;
  const std::stop_callback on_stop(stop, [&] {
    {
      MutexLock lock(wait_mutex_);
      is_stopped = true;
      interrupted_.notify_all();
    }
    store_->interrupt_waits();
  });
  // Whoever waits looks again, at its time and its stop, too.
  if (store_->wait_for_change(seen, time)) {
    // A writer that says nothing is asked whether it lives.
    if (changes() == seen) has_polled_.store(true);
    return Outcome::changed;
  }
  has_polled_.store(true);
  MutexLock lock(wait_mutex_);
  if (!is_stopped) interrupted_.wait_for(wait_mutex_, time);
  return Outcome::changed;
}

/// A truncation is announced before it is committed, by a higher count; and everything that a
/// writer says is followed by a change.
bool FollowedLog::is_current() {
  const auto signs = store_->control_signs();
  return !signs || signs->truncation_count == truncations_.load(std::memory_order_acquire) ||
         signs->changes == quiet_changes_.load(std::memory_order_acquire);
}

Result<void> FollowedLog::confirm() {
  if (is_current()) return {};
  MutexLock lock(mutex_);
  auto slots = store_->load_root();
  if (!slots) return std::unexpected(slots.error());
  const bool is_valid = slots->is_valid(0) || slots->is_valid(1);
  // Announced and not committed: what was read was of the log at this moment.
  if (is_valid && slots->slot[slots->newest()].root.truncation_count == truncations_.load()) {
    return {};
  }
  return look();
}

Result<void> FollowedLog::recheck() {
  MutexLock lock(mutex_);
  return look();
}

Result<void> FollowedLog::refresh() {
  MutexLock lock(mutex_);
  return take_news(false);
}

Result<void> FollowedLog::update() {
  MutexLock lock(mutex_);
  return take_news(true);
}

Result<void> FollowedLog::take_news(bool asks_writer) {
  const auto control = store_->read_control();
  const uint64_t now = changes();
  if (!is_live_ && now == seen_changes_) {
    // All that is there was judged. What nobody will ever write to again says nothing of it.
    return asks_writer || has_polled_.exchange(false) ? refuse_destroyed() : Result<void>{};
  }
  const bool is_same_writer = is_live_ && control && control->epoch == epoch_.load() &&
                              control->truncation_count == truncations_.load();
  if (!is_same_writer) return look();
  if (control->durable_lsn > table_->extent().end_lsn) {
    // Below that everything is durable, whether the writer lives or not.
    auto advanced = advance(control->durable_lsn);
    if (!advanced) return std::unexpected(advanced.error());
    if (!*advanced) return look();
  }
  if (!asks_writer && !has_polled_.exchange(false)) return {};
  return store_->is_writing(*control) ? Result<void>{} : look();
}

/// Adds the frames up to `durable`, from segment to segment. False if they are not found where they
/// would be if nothing but appends had happened.
Result<bool> FollowedLog::advance(Lsn durable) {
  const auto accept = [this](const FrameHeader& header, uint64_t digest) {
    table_->extend(header, digest);
  };
  while (true) {
    const Lsn end = table_->extent().end_lsn;
    if (end >= durable) return true;
    const auto last = table_->find(end);
    if (!last || contents_.end_lsn != end) return false;
    auto reader = table_->reader(*store_, last->header.number);
    if (!reader)
      return is_gone(reader.error()) ? Result<bool>(false) : std::unexpected(reader.error());
    FrameSource source(*reader, last->binding, last->header.base_lsn, ReadSource::any);
    const Lsn limit = std::min(durable, frames_end_of(last->header));
    const auto stop = scan_on(source, contents_, limit, accept);
    table_->make_durable();
    if (!stop) return std::unexpected(stop.error());
    if (contents_.end_lsn >= durable) return true;
    auto entered = enter_next(last->header);
    if (!entered || !*entered) return entered;
  }
}

/// Goes on in the segment behind `last`, if that continues what was read.
Result<bool> FollowedLog::enter_next(const SegmentHeader& last) {
  auto reader = store_->open(last.number + 1);
  if (!reader)
    return is_gone(reader.error()) ? Result<bool>(false) : std::unexpected(reader.error());
  if ((*reader)->bytes() < kSegmentHeaderBytes) return false;
  AlignedBuffer block(kSegmentHeaderBytes);
  if (auto read = (*reader)->read(0, block.span(), ReadSource::device); !read) {
    return std::unexpected(read.error());
  }
  const auto [state, header] = decode_segment_header(block.span());
  if (state != HeaderState::valid || header.log_id != last.log_id ||
      header.number != last.number + 1 || header.cause == SegmentCause::truncate ||
      header.base_lsn != contents_.end_lsn || header.base_ordinal != contents_.end_ordinal ||
      header.link.digest != contents_.digest || !continues(last, header)) {
    return false;
  }
  table_->add(SegmentTable::prepare(header, nullptr));
  contents_.begin(header);
  table_->set_contents(contents_);
  if (++rotations_ % kRotationsPerTrim != 0) return true;
  auto trimmed = take_trim();
  return trimmed ? Result<bool>(true) : std::unexpected(trimmed.error());
}

/// Forgets what was trimmed, so that a follower does not grow for ever.
Result<void> FollowedLog::take_trim() {
  auto slots = store_->load_root();
  if (!slots) return std::unexpected(slots.error());
  if (!slots->is_valid(0) && !slots->is_valid(1)) return {};
  const RootState& root = slots->slot[slots->newest()].root;
  const auto last = table_->find(table_->extent().end_lsn);
  if (root.truncation_count == truncations_.load() && last &&
      root.first.number <= last->header.number) {
    trim(root.first);
  }
  return {};
}

/// Observes the whole log. One that moves on all the time is looked at again later.
Result<void> FollowedLog::look() {
  const auto before = store_->control_signs();
  auto observed = try_observe(*store_, Scrutiny::what_is_not_proven);
  // Before anything else is told: its files went away on purpose.
  if (auto refused = refuse_destroyed(); !refused) return refused;
  if (!observed) return std::unexpected(observed.error());
  if (!*observed) return {};
  Observation& observation = **observed;
  if (observation.found.damage) {
    return std::unexpected(to_error(*observation.found.damage, "follow log"));
  }
  if (auto settled = settle_observed(observation); !settled) return settled;
  merge(observation.found);
  note(observation, before);
  return {};
}

/// The root goes last: a log that lost it was destroyed, and one that is made anew has another.
Result<void> FollowedLog::refuse_destroyed() {
  auto is_destroyed = store_->is_destroyed();
  if (!is_destroyed) return std::unexpected(is_destroyed.error());
  if (!*is_destroyed) return {};
  return std::unexpected(make_error(ErrorCode::not_found, "follow log", "the log was destroyed",
                                    {.path = store_->path()}));
}

void FollowedLog::trim(const LogStart& first) {
  if (first.number <= table_->extent().first.number) return;
  table_->trim(first);
  table_->mapped().remove(0, first.number);
}

/// Brings the table in line with what was found: what both have stays, what only the table has was
/// taken away, and what only was found is added.
void FollowedLog::merge(const Inspection& found) {
  trim(found.root.first);
  const auto known = table_->all();
  const auto [known_end, found_end] = std::ranges::mismatch(
      known, found.data,
      [](const SegmentView& a, const DataSegment& b) { return is_same(a.header, b.header); });
  bool is_cut = known_end != known.end();
  const uint64_t last_kept = known_end == known.begin() ? 0 : std::prev(known_end)->header.number;
  for (auto segment = found_end; segment != found.data.end(); ++segment) {
    const SegmentHeader& header = segment->header;
    auto addition = SegmentTable::prepare(header, nullptr);
    is_cut = is_cut || (segment == found_end && header.cause == SegmentCause::truncate);
    if (std::exchange(is_cut, false)) {
      table_->reserve_truncation();
      table_->truncate(std::move(addition), std::nullopt);
      // Also the one that was cut.
      table_->mapped().remove(last_kept, header.number);
    } else {
      table_->add(std::move(addition));
    }
  }
  if (!found.tail) return;
  const auto last = table_->find(table_->extent().end_lsn);
  const SegmentContents& contents = found.tail->contents;
  if (!last || last->header.number != found.data.back().header.number) return;
  if (last->end_lsn > contents.end_lsn) return;
  contents_ = contents;
  table_->set_contents(contents);
}

}  // namespace writeahead::internal
