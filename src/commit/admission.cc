// Admission: giving an append its place.
// Room in a segment, memory and budget are certain before there is an address. What is refused is
// refused here, in order, and nothing was written for it.
#include <algorithm>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "commit/committer.h"
#include "segment/segment_size.h"

namespace writeahead::internal {
namespace {

Error out_of_memory(std::string_view path) {
  return make_error(ErrorCode::no_space, "append", "out of memory", {.path = path});
}

}  // namespace

std::optional<Error> Committer::refusal() const { return closed_ ? closed_ : failure_; }

/// Until a refused append was told so, none that was made after it must pass.
bool Committer::has_untold_shortage() const {
  return last_shortage_ && completions_.has_untold_shortage();
}

void Committer::append(PendingAppend& append) {
  bool leads = false;
  std::optional<PendingAppend> repeat;  // waits in the place of an append that is there already
  {
    MutexLock lock(mutex_);
    if (has_untold_shortage()) {
      append.error = last_shortage_;
      return;
    }
    auto admitted = admit({.bytes = append.encoded_bytes(),
                           .records = append.record_count(),
                           .durability = append.durability(),
                           .mark = append.mark()});
    if (!admitted) {
      append.error = admitted.error();
      return;
    }
    if (admitted->first) {
      append.range = *admitted->first;
      if (admitted->frame == nullptr) return;
      repeat.emplace(append.durability());
    }
    join(*admitted->frame, repeat ? *repeat : append);
    remember(append.mark(), append.range);
    leads = try_lead();
  }
  follow(repeat ? *repeat : append, leads);
  if (repeat) append.error = std::move(repeat->error);
}

/// The frame that the caller joins before it gives up the mutex; the memory for it is there. Each
/// time that the mutex was given up meanwhile, somebody else may have made the same append.
Result<Committer::Admission> Committer::admit(const Request& request) {
  try {
    // A frame that was just opened is joined, and never left empty: it may begin a segment.
    bool has_room_now = false;
    while (true) {
      if (const auto refused = refusal()) return std::unexpected(*refused);
      if (is_paused_) {
        if (!request.can_wait) return std::unexpected(would_block());
        admission_.wait(mutex_);
        continue;
      }
      Admission admitted;
      if (request.mark) {
        const auto first = find_first(request.mark);
        if (!first) return std::unexpected(first.error());
        admitted.first = *first;
        if (*first && has_level((*first)->end_lsn, request.repeat_level())) return admitted;
        if (!*first) producers_.reserve();
      }
      const Request asked = admitted.first ? Request{.can_wait = request.can_wait} : request;
      const bool needs_space = asked.records != 0 && !has_room_now;
      if (needs_space && waits_for_space()) return std::unexpected(full_store());
      if (may_join_open(asked)) {
        frames_.back()->reserve(asked.bytes);
        admitted.frame = frames_.back().get();
        return admitted;
      }
      if (auto room = make_room(asked); !room) return std::unexpected(room.error());
      has_room_now = true;
    }
  } catch (const std::bad_alloc&) {
    ++stats_.no_space;
    return std::unexpected(out_of_memory(store_.path()));
  }
}

/// Whether a frame that was issued does; only objects are full for a while.
bool Committer::waits_for_space() const { return issued_ != 0 && store_.is_full(); }

/// What comes behind a frame that waits for space is refused, and passes nothing.
Error Committer::full_store() {
  return note_shortage(
      make_error(ErrorCode::no_space, "append", "the store is full", {.path = store_.path()}));
}

/// All who wait for the same are answered so, and none of them passes another.
Error Committer::note_shortage(Error error) {
  ++shortages_;
  ++stats_.no_space;
  last_shortage_ = std::move(error);
  return *last_shortage_;
}

bool Committer::may_join_open(const Request& request) const {
  if (frames_.empty()) return false;
  const PendingFrame& frame = *frames_.back();
  if (request.mark && !frame.place().is_numbered) return false;
  return frame.has_room(request.bytes, request.records);
}

/// Opens a frame that has room, or waits for what that takes; the caller looks again.
Result<void> Committer::make_room(const Request& request) {
  close_open_frame();
  if (request.records == 0 || has_room(request)) {
    open_frame(request.bytes);
    return {};
  }
  const uint64_t body = producers_.table_bytes() + request.bytes;
  const uint64_t needed = kSegmentHeaderBytes + frame_bytes(kSegmentHeaderBytes, body, alignment_);
  if (auto standby = standbys_.take(needed)) {
    begin_segment(std::move(*standby), request);
    return {};
  }
  return make_standby(needed, request.can_wait);
}

bool Committer::has_room(const Request& request) const {
  if (place_.writer == nullptr || (request.mark && !place_.is_numbered)) return false;
  const uint64_t offset = segment_offset(place_.base_lsn, next_lsn_);
  const uint64_t body = table_bytes(place_) + request.bytes;
  return offset + frame_bytes(offset, body, alignment_) <= place_.frames_end;
}

void Committer::close_open_frame() {
  if (frames_.empty() || frames_.back()->is_closed) return;
  PendingFrame& frame = *frames_.back();
  frame.is_closed = true;
  // Nothing behind it can be written before it is.
  frame.is_due = true;
  next_lsn_ = frame.end_lsn();
  next_ordinal_ = frame.end_ordinal();
  start_leader();
}

Committer::Frame Committer::make_frame(uint64_t bytes) {
  Frame frame;
  if (spares_.empty()) {
    frame = std::make_unique<PendingFrame>();
  } else {
    frame = std::move(spares_.back());
    spares_.pop_back();
  }
  frame->begin(place_, next_lsn_, next_ordinal_, alignment_, table_bytes(place_));
  // All appends before it have their places, and none behind it has one.
  if (!frame->table().empty()) producers_.encode(frame->table());
  frame->reserve(bytes);
  return frame;
}

void Committer::open_frame(uint64_t bytes) { frames_.push_back(make_frame(bytes)); }

/// New frames go into `standby` from now on. Its header is written with the first of them.
void Committer::begin_segment(Standby standby, const Request& request) {
  const SegmentPlace before = place_;
  try {
    place_ = {.writer = standby.writer,
              .number = standby.number,
              .base_lsn = next_lsn_,
              .frames_end = frames_end_limit(standby.writer->bytes()),
              .is_numbered = request.mark || !producers_.is_empty()};
    Frame frame = make_frame(request.bytes);
    frame->begins_segment = true;
    SegmentHeader header;  // The rest is known when the frame goes out.
    header.log_id = log_id_;
    header.number = standby.number;
    frame->addition = SegmentTable::prepare(header, standby.writer);
    frames_.push_back(std::move(frame));
  } catch (const std::bad_alloc&) {
    place_ = before;
    standbys_.give_back(std::move(standby));
    throw;
  }
}

/// The next segment is not ready: makes it in this thread, or waits for whoever does. A shortage is
/// answered to all who waited, so that none of them passes an earlier one that was refused.
Result<void> Committer::make_standby(uint64_t needed, bool can_wait) {
  // One of a size of its own is made by nobody else.
  if (!can_wait && (is_making_room_ || needed <= frames_end_limit(standbys_.standby_bytes()))) {
    standbys_.want();
    wake_background_();
    return std::unexpected(would_block());
  }
  if (is_making_room_) {
    const uint64_t shortages = shortages_;
    admission_.wait(mutex_);
    if (shortages == shortages_) return {};
    ++stats_.no_space;
    return std::unexpected(*last_shortage_);
  }
  is_making_room_ = true;
  const uint64_t retries = retries_;
  mutex_.unlock();
  Result<bool> made = true;
  try {
    made = standbys_.make(needed);
  } catch (const std::bad_alloc&) {
    made = std::unexpected(out_of_memory(store_.path()));
  }
  mutex_.lock();
  is_making_room_ = false;
  admission_.notify_all();
  idle_.notify_all();
  if (made && !*made) {
    if (waits_for_quota_ && standbys_.may_fit_later(needed)) {
      if (!can_wait) return std::unexpected(would_block());
      // Space that was given back since the attempt began is not waited for.
      if (retries == retries_ && !refusal()) admission_.wait(mutex_);
      return {};
    }
    made = std::unexpected(standbys_.quota_error());
  }
  if (made) return {};
  if (made.error().code() == ErrorCode::no_space) {
    return std::unexpected(note_shortage(made.error()));
  }
  set_failure(made.error());
  return std::unexpected(*failure_);
}

void Committer::join(PendingFrame& frame, PendingAppend& append) {
  frame.join(append);
  queued_.fetch_add(1, std::memory_order_relaxed);
  note_joined(frame, append.durability(), true);
}

void Committer::note_joined(PendingFrame& frame, Durability level, bool is_due) {
  frame.level = std::min(frame.level, level);
  end_lsn_.store(frame.end_lsn().value(), std::memory_order_release);
  if (is_due || level != Durability::buffered) {
    frame.is_due = true;
  } else if (frame.opened_ns == 0) {
    // The background thread has to come back in time.
    frame.opened_ns = last_buffered_ns_ = env_.monotonic_ns();
    remind_background_(std::chrono::nanoseconds(flush_interval_ns_));
  }
}

/// Back-pressure: what is in flight for nobody's account is bounded.
bool Committer::is_over_budget(uint64_t bytes) const {
  return async_bytes_ != 0 && async_bytes_ + bytes > budget_bytes_;
}

Result<void> Committer::wait_for_budget(uint64_t bytes, bool can_wait) {
  while (is_over_budget(bytes)) {
    if (const auto refused = refusal()) return std::unexpected(*refused);
    if (waits_for_space()) return std::unexpected(full_store());
    if (!can_wait) return std::unexpected(would_block());
    for (size_t i = issued_; i < frames_.size(); ++i) frames_[i]->is_due = true;
    // Whoever has to wait might as well do what it waits for. The background thread, in a callback,
    // has to: nobody else would.
    if (try_lead()) {
      mutex_.unlock();
      lead(false);
      mutex_.lock();
    } else {
      admission_.wait(mutex_);
    }
  }
  return {};
}

/// `add(appends)` puts the records into an AsyncAppends, all or none of them.
template <class Add>
Result<Appended> Committer::admit_async(const AsyncRequest& request, CompletionTarget& target,
                                        const Add& add) {
  MutexLock lock(mutex_);
  if (has_untold_shortage()) return std::unexpected(*last_shortage_);
  if (is_over_budget(request.bytes)) {
    auto waited = wait_for_budget(request.bytes, request.can_wait);
    if (!waited) return std::unexpected(waited.error());
  }
  PendingFrame* frame = nullptr;
  Appended range;
  bool was_ready = false;
  uint64_t bytes = request.bytes;
  if (AsyncAppends* appends = growing(request)) {
    frame = frames_.back().get();
    was_ready = frame->is_due && frame->level == Durability::durable && can_issue(*frame);
    frame->reserve(request.bytes);
    add(*appends);
    range.first_lsn = appends->range.end_lsn;
    range.first_ordinal = frame->end_ordinal();
    frame->grow(request.bytes, request.records, request.payload_bytes);
    range.end_lsn = appends->range.end_lsn = range.first_lsn + request.bytes;
  } else {
    auto fresh = completions_.make();
    add(*fresh);
    auto admitted = admit(request);
    if (!admitted) {
      fresh->take_back(target);
      return std::unexpected(admitted.error());
    }
    if (admitted->first) {
      fresh->become_repeat(*admitted->first);
      bytes = 0;
    }
    if (admitted->frame == nullptr) {
      // It lies before everything that is still to be told.
      if (completions_.push(std::move(fresh))) wake_background_();
      return *admitted->first;
    }
    frame = admitted->frame;
    frame->join(*fresh);
    range = admitted->first.value_or(fresh->range);
    [[maybe_unused]] const AsyncAppends* const joined = fresh.release();
  }
  remember(request.mark, range);
  frame->async_bytes += bytes;
  async_bytes_ += bytes;
  note_joined(*frame, request.durability, request.is_due || frame->length() >= flush_bytes_);
  if (!was_ready) {
    start_leader();
  } else if (!is_led_) {
    wake_background_();  // It was told before; but the system may have had no thread to give.
  }
  return range;
}

/// Where a new append only makes another one longer; null if that is not so.
AsyncAppends* Committer::growing(const Request& request) {
  if (is_paused_ || waits_for_space() || refusal() || !may_join_open(request)) return nullptr;
  AsyncAppends* const appends = frames_.back()->growing();
  if (appends == nullptr || !request.mark) return appends;
  if (const auto first = find_first(request.mark); !first || *first) return nullptr;
  producers_.reserve();
  return appends;
}

Result<Appended> Committer::append_async(const AsyncRecord& record, CompletionTarget& target,
                                         bool can_wait) {
  const Mark& mark = record.options.producer_number;
  const AsyncRequest request{{.bytes = encoded_record_bytes(record.payload.size(), mark),
                              .records = 1,
                              .durability = record.options.durability,
                              .can_wait = can_wait,
                              .mark = mark,
                              .is_due = !std::holds_alternative<std::monostate>(target)},
                             record.payload.size()};
  return admit_async(request, target, [&](AsyncAppends& appends) {
    appends.add(record.payload, record.options.type, record.payload_hash, mark, target);
  });
}

Result<Appended> Committer::append_async(const Batch& batch, const BatchOptions& options,
                                         CompletionTarget& target, bool can_wait) {
  const Mark& mark = options.producer_number;
  const AsyncRequest request{{.bytes = BatchAccess::encoded_bytes(batch, mark),
                              .records = batch.size(),
                              .durability = options.durability,
                              .can_wait = can_wait,
                              .mark = mark,
                              .is_due = !std::holds_alternative<std::monostate>(target)},
                             BatchAccess::payload_bytes(batch)};
  return admit_async(request, target,
                     [&](AsyncAppends& appends) { appends.add(batch, mark, target); });
}

}  // namespace writeahead::internal
