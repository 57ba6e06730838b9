// Leading: from a closed frame to the answers.
// Between take_next() and complete() a frame is its leader's alone.
#include "commit/committer.h"

#include <algorithm>
#include <new>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "segment/segment_size.h"

namespace writeahead::internal {
namespace {

constexpr int kMaxYields = 4096;  // also bounds the wait where a simulated clock stands still
constexpr size_t kSpares = 4;

}  // namespace

Committer::Committer(CommitParts parts, const Options& options, CommitStart start)
    : store_(parts.store),
      table_(parts.table),
      standbys_(parts.standbys),
      completions_(parts.completions),
      progress_(parts.progress),
      env_(parts.env),
      wake_background_(std::move(parts.wake_background)),
      remind_background_(std::move(parts.remind_background)),
      wake_second_(std::move(parts.wake_second)),
      alarm_(
          env_, [this] { return store_.wake_followers(); }, wake_background_),
      group_wait_ns_(uint64_t{options.group_wait_us} * 1000),
      sync_interval_ns_(uint64_t{options.sync_interval_ms} * 1'000'000),
      flush_interval_ns_(uint64_t{options.flush_interval_ms} * 1'000'000),
      flush_bytes_(options.flush_bytes),
      budget_bytes_(options.async_bytes),
      waits_for_quota_(options.quota_policy == QuotaPolicy::wait),
      max_in_flight_(options.max_frames_in_flight),
      alignment_(options.frame_alignment),
      most_producers_(most_producers_in(options.segment_bytes)),
      log_id_(start.log_id) {
  MutexLock lock(mutex_);
  begin_at(std::move(start));
  spares_.reserve(kSpares);
}

/// Waits for the answer of an append that has its place, and leads when it is told to.
void Committer::follow(PendingAppend& append, bool leads) {
  while (leads || append.await() == PendingAppend::Signal::lead) {
    lead(true);
    leads = false;
  }
}

PendingFrame* Committer::next_frame() const {
  return issued_ < frames_.size() ? frames_[issued_].get() : nullptr;
}

Committer::Frame Committer::take_front() {
  Frame front = std::move(frames_.front());
  frames_.erase(frames_.begin());
  return front;
}

/// Two frames are in flight together only if they share no block, each with a barrier of its own,
/// and nothing before them is without one. What nobody waits for becomes more meanwhile, and goes
/// when it is worth it.
bool Committer::can_issue(const PendingFrame& frame) const {
  if (issued_ == 0) return true;
  if (failure_) return false;  // Whoever ends the last of them gives the others up.
  const bool is_worth_it = frame.first_waiter() != nullptr || frame.length() >= kOverlapBytes;
  return in_flight_overlap_ && issued_ < max_in_flight_ && frame.records() != 0 && is_worth_it &&
         frame.level == Durability::durable && !frame.begins_segment &&
         frame.offset() % kBlockBytes == 0;
}

/// It begins on a block, too: should it fail, the block before it is read from the device.
bool Committer::may_be_followed(const PendingFrame& frame) const {
  return max_in_flight_ > 1 && frame.length() >= kOverlapBytes &&
         frame.level == Durability::durable && !has_unsynced_ && !frame.begins_segment &&
         frame.offset() % kBlockBytes == 0 &&
         (frame.offset() + frame.length()) % kBlockBytes == 0 && active_->can_overlap();
}

bool Committer::try_lead() {
  const PendingFrame* const frame = next_frame();
  if (is_led_ || frame == nullptr || !frame->is_due || !can_issue(*frame)) return false;
  is_led_ = true;
  return true;
}

/// With several steady writers the greedy leader would go alone while the others wake up; it yields
/// until as many are here as the last time. A single writer never waits.
void Committer::await_company() {
  const uint64_t last_group = last_group_.load(std::memory_order_relaxed);
  if (last_group <= 1 || group_wait_ns_ == 0) return;
  const uint64_t deadline = env_.monotonic_ns() + group_wait_ns_;
  for (int i = 0; i < kMaxYields; ++i) {
    if (queued_.load(std::memory_order_relaxed) >= last_group) return;
    std::this_thread::yield();
    if (env_.monotonic_ns() >= deadline) return;
  }
}

/// One frame, one write, one barrier.
void Committer::lead(bool awaits_company) {
  if (awaits_company) await_company();
  Done done;
  PendingFrame* frame = nullptr;
  {
    MutexLock lock(mutex_);
    frame = take_next(done);
    if (frame == nullptr) {
      is_led_ = false;
      start_leader();
    }
  }
  if (frame == nullptr) return wake(done);
  Result<void> written = prepare(*frame);
  const bool has_unsynced = has_unsynced_;  // Known to the leader alone.
  bool leads = true;
  if (written && may_be_followed(*frame)) {
    MutexLock lock(mutex_);
    leads = false;
    in_flight_overlap_ = true;
    is_led_ = false;
    start_leader();
  }
  if (written) written = write(*frame, has_unsynced);
  complete(*frame, written, leads);
}

/// The frame that goes out now; null if there is none that may.
PendingFrame* Committer::take_next(Done& done) {
  if (failure_) {
    if (issued_ == 0) give_up_all(done);
    return nullptr;
  }
  PendingFrame* const frame = next_frame();
  if (frame == nullptr || !can_issue(*frame)) return nullptr;
  close_open_frame();
  if (issued_ == 0) in_flight_overlap_ = false;
  ++issued_;
  queued_.fetch_sub(frame->waiters(), std::memory_order_relaxed);
  return frame;
}

SegmentHeader Committer::next_header(const PendingFrame& frame, uint64_t time_ns) const {
  SegmentHeader header{.cause = SegmentCause::create,
                       .log_id = log_id_,
                       .number = frame.place().number,
                       .epoch = epoch_,
                       .base_lsn = frame.lsn(),
                       .base_ordinal = frame.first_ordinal(),
                       .prepared_bytes = frame.place().writer->bytes(),
                       .created_ns = std::max(time_ns, position_.time_ns),
                       .required_features = frame.place().is_numbered ? kNumberedFeature : 0,
                       .ignorable_features = features_of(*frame.place().writer),
                       .link = {}};
  if (active_ != nullptr) {
    header.cause = SegmentCause::rotate;
    header.link = {
        .number = active_header_.number, .end_lsn = position_.lsn, .digest = position_.digest};
  }
  return header;
}

/// Fills the frame's bytes in, and makes the frame's segment the active one.
Result<void> Committer::prepare(PendingFrame& frame) {
  if (frame.records() == 0) return {};
  const uint64_t time_ns = env_.wall_clock_ns();
  if (frame.begins_segment) {
    // All of the segment before is durable before anything goes into the next one.
    if (has_unsynced_) {
      if (auto synced = active_->sync(); !synced) return synced;
      has_unsynced_ = false;
      {
        MutexLock lock(mutex_);
        advance_durable();
      }
      tell_followers();
    }
    active_header_ = next_header(frame, time_ns);
    frame.addition.set_header(active_header_);
    binding_ = SegmentBinding::of(log_id_, active_header_.number);
    position_.digest = 0;
    active_ = frame.place().writer;
  }
  build_frame(frame, {.epoch = epoch_, .time_ns = time_ns, .watermark = durable_lsn()}, binding_,
              position_);
  // The header block goes out in one write with the first frame: a rotation costs no barrier.
  if (frame.begins_segment) encode_segment_header(active_header_, frame.buffer.header_block());
  active_->place(frame.offset(), frame.buffer);
  return {};
}

/// `has_unsynced`: whether written frames before it are not durable.
Result<void> Committer::write(PendingFrame& frame, bool has_unsynced) {
  const bool is_durable = frame.level == Durability::durable;
  if (frame.records() == 0) {
    return is_durable && has_unsynced ? active_->sync() : Result<void>{};
  }
  WriteMode mode = WriteMode::cached;
  // A barrier covers its own write alone: written frames before it need more.
  if (is_durable) mode = has_unsynced ? WriteMode::synced : WriteMode::barrier;
  // CRASH: the frame is there whole, or recovery cuts what there is of it. Nobody was told yet.
  return frame.place().writer->write(frame.offset(), frame.buffer, mode);
}

/// Answers all frames that are done now, in their order.
void Committer::complete(PendingFrame& frame, const Result<void>& written, bool leads) {
  Done done;
  bool has_settled = false;
  {
    MutexLock lock(mutex_);
    // Set before any later frame is acknowledged.
    if (!written) set_failure(written.error());
    frame.is_done = true;
    if (leads && frame.level == Durability::durable) has_unsynced_ = false;
    if (leads && frame.level != Durability::durable && frame.records() != 0) has_unsynced_ = true;
    while (issued_ != 0 && frames_.front()->is_done) {
      Frame front = take_front();
      --issued_;
      if (failure_) {
        give_up(*front);
      } else {
        settle(*front);
        has_settled = true;
      }
      retire(std::move(front), done);
    }
    // A leader that was named meanwhile does it itself.
    if (failure_ && issued_ == 0 && (leads || !is_led_)) give_up_all(done);
    if (leads) is_led_ = false;
    start_leader();
  }
  // A few followers hear of it before the appenders do.
  if (!tell_followers() && has_settled) progress_.move_on_written();
  wake(done);
}

/// Those who wait for records, if more is durable than when they were told last; else false.
bool Committer::tell_followers() {
  const uint64_t durable = durable_lsn_.load(std::memory_order_acquire);
  if (told_lsn_.exchange(durable) == durable) return false;
  alarm_.ring();
  progress_.move_on();
  return true;
}

/// The frame was written.
void Committer::settle(PendingFrame& frame) {
  if (frame.records() != 0) {
    if (frame.begins_segment) {
      table_.add(std::move(frame.addition));
      ++stats_.segments_opened;
    }
    table_.extend(frame.header, frame.digest);
    store_.show_newest(frame.place().number, frame.offset(), frame.buffer.frame());
    written_lsn_ = frame.end_lsn();
    written_number_ = frame.place().number;
    count(frame);
  }
  // There is a seal to be written, and a segment to be prepared.
  if (frame.begins_segment || last_commit_ns_.load(std::memory_order_relaxed) == 0) {
    wake_background_();
  }
  if (frame.level == Durability::durable) {
    advance_durable();
  } else if (frame.records() != 0 && unsynced_since_ns_ == 0) {
    unsynced_since_ns_ = env_.monotonic_ns();
    wake_background_();  // It has to come back in time.
  }
  last_commit_ns_.store(env_.monotonic_ns(), std::memory_order_relaxed);
}

void Committer::count(const PendingFrame& frame) {
  const uint64_t begin = round_down(frame.offset(), store_.write_unit());
  stats_.records += frame.records();
  stats_.payload_bytes += frame.payload_bytes();
  stats_.frames += 1;
  stats_.frame_bytes += frame.length();
  stats_.written_bytes += round_up(frame.offset() + frame.length(), kBlockBytes) - begin +
                          (frame.begins_segment ? kSegmentHeaderBytes : 0);
  stats_.largest_group = std::max(stats_.largest_group, frame.appends());
  last_group_.store(frame.waiters(), std::memory_order_relaxed);
}

/// All that was written is durable.
void Committer::advance_durable() {
  unsynced_since_ns_ = 0;
  if (written_lsn_ == durable_lsn()) return;
  table_.make_durable();
  store_.publish_durable(written_lsn_);
  // Both together: a root that paired an Lsn with the segment before would accuse a sound log.
  durable_lsn_.store(written_lsn_.value(), std::memory_order_release);
  durable_number_ = written_number_;
  durable_waiters_.notify(written_lsn_);
}

/// Answers a frame with the failure.
void Committer::give_up(PendingFrame& frame) {
  for (PendingAppend* append = frame.first(); append != nullptr; append = append->next) {
    append->error = failure_;
  }
}

void Committer::give_up_all(Done& done) {
  while (!frames_.empty()) {
    Frame frame = take_front();
    queued_.fetch_sub(frame->waiters(), std::memory_order_relaxed);
    give_up(*frame);
    retire(std::move(frame), done);
  }
}

/// What is owned goes to the callbacks, the rest is for wake().
void Committer::retire(Frame frame, Done& done) {
  if (frame->async_bytes != 0) {
    async_bytes_ -= frame->async_bytes;
    admission_.notify_all();
  }
  bool tells_anybody = false;
  for (PendingAppend* append = frame->release(); append != nullptr;) {
    PendingAppend* const next = append->next;
    append->next = nullptr;
    if (append->is_async()) {
      std::unique_ptr<AsyncAppends> appends(static_cast<AsyncAppends*>(append));
      tells_anybody |= completions_.push(std::move(appends));
    } else {
      (done.last == nullptr ? done.first : done.last->next) = append;
      done.last = append;
    }
    append = next;
  }
  if (tells_anybody) wake_background_();
  frame->buffer.shrink();
  if (spares_.size() < kSpares) spares_.push_back(std::move(frame));
}

/// If nobody leads and a frame may go out, names who leads, before anybody else is woken.
void Committer::start_leader() {
  if (is_led_) return;
  const PendingFrame* const frame = next_frame();
  if (frame == nullptr) return idle_.notify_all();
  if (!frame->is_due || !can_issue(*frame)) return;
  // Whoever waits for a later frame waits for this one, too.
  for (size_t i = issued_; i < frames_.size(); ++i) {
    if (PendingAppend* const waiter = frames_[i]->first_waiter()) {
      is_led_ = true;
      return waiter->signal(PendingAppend::Signal::lead);
    }
  }
  wake_background_();
  if (issued_ != 0) wake_second_();  // One of the two may be at a write.
  // The background thread, in a callback, may be the one that waits for the budget.
  admission_.notify_all();
  idle_.notify_all();
}

void Committer::wake(const Done& done) {
  for (PendingAppend* append = done.first; append != nullptr;) {
    PendingAppend* const next = append->next;  // Once woken, the append may be gone.
    append->signal(PendingAppend::Signal::done);
    append = next;
  }
}

}  // namespace writeahead::internal
