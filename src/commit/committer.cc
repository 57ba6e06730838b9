// The queue, the leader's way through one frame, and rotation.
// Everything between the first look at the queue and the hand-over is the leader's alone.
#include "commit/committer.h"

#include <algorithm>
#include <array>
#include <new>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "segment/segment_size.h"

namespace writeahead::internal {
namespace {
constexpr int kMaxYields = 4096;  // also bounds the wait where a simulated clock stands still
}  // namespace

Committer::Committer(SegmentStore& store, SegmentTable& table, Env& env, const Options& options,
                     CommitStart start)
    : store_(store),
      table_(table),
      env_(env),
      segment_bytes_(options.segment_bytes),
      group_wait_ns_(uint64_t{options.group_wait_us} * 1000),
      log_id_(start.log_id),
      active_(std::move(start.active)),
      epoch_(start.epoch),
      active_header_(start.active_header),
      binding_(SegmentBinding::of(start.log_id, start.active_header.number)),
      position_(start.position),
      next_number_(active_ ? active_header_.number + 1 : start.first_number),
      // A file that a hard-link backup shares is left as it is.
      must_rotate_(active_ == nullptr || active_->is_shared()),
      end_lsn_(position_.lsn.value()),
      durable_lsn_(position_.lsn.value()),
      durable_number_(active_ ? active_header_.number : start.first_number) {}

void Committer::append(PendingAppend& append) {
  bool leads = false;
  {
    MutexLock lock(mutex_);
    if (closed_ || failure_) {
      append.error = closed_ ? closed_ : failure_;
      return;
    }
    (tail_ == nullptr ? head_ : tail_->next) = &append;
    tail_ = &append;
    queued_.fetch_add(1, std::memory_order_relaxed);
    leads = !is_led_ && !is_pause_wanted_;
    is_led_ = is_led_ || leads;
  }
  if (leads || append.await() == PendingAppend::Signal::lead) lead(append);
}

/// Commits one frame, which `own` is in: the leader is always the first of the queue.
void Committer::lead(PendingAppend& own) {
  await_company();
  Group group;
  const auto refuse = [&](const Error& error) { group = refuse_all(group, error); };
  try {
    if (const auto failed = failure()) {
      refuse(*failed);
    } else if (auto room = make_room(own.encoded_bytes()); !room) {
      const bool is_shortage = room.error().code() == ErrorCode::no_space;
      if (!is_shortage) fail(room.error());
      refuse(is_shortage ? room.error() : *failure());
    } else {
      group = take_group();
      if (auto committed = commit(group); !committed) {
        fail(committed.error());
        refuse(*failure());
      }
    }
  } catch (const std::bad_alloc&) {
    // It came before anything was written or had an address.
    refuse(make_error(ErrorCode::no_space, "append", "out of memory", {.path = store_.path()}));
  }
  last_group_ = group.appends;
  hand_on();
  wake(group, own);
}

/// With several steady writers the greedy leader would go alone while the others wake up; it yields
/// until as many are here as the last time. A single writer never waits.
void Committer::await_company() {
  if (last_group_ <= 1 || group_wait_ns_ == 0) return;
  const uint64_t deadline = env_.monotonic_ns() + group_wait_ns_;
  for (int i = 0; i < kMaxYields; ++i) {
    if (queued_.load(std::memory_order_relaxed) >= last_group_) return;
    std::this_thread::yield();
    if (env_.monotonic_ns() >= deadline) return;
  }
}

bool Committer::fits(uint64_t body_bytes) const {
  if (standby_ != nullptr) {
    return kSegmentHeaderBytes + frame_bytes(body_bytes) <= frames_end_limit(standby_->bytes());
  }
  const uint64_t at = segment_offset(active_header_.base_lsn, position_.lsn);
  return !must_rotate_ &&
         at + frame_bytes(body_bytes) <= frames_end_limit(active_header_.prepared_bytes);
}

/// Admission: room for a frame with such a body is certain before an Lsn is given.
Result<void> Committer::make_room(uint64_t body_bytes) {
  if (fits(body_bytes)) return {};
  if (standby_ != nullptr) {
    // Prepared for an append that was then refused, and too small for this one.
    if (auto removed = store_.remove(std::array{next_number_}); !removed) return removed;
    standby_.reset();
  }
  const uint64_t needed = kSegmentHeaderBytes + frame_bytes(body_bytes);
  auto prepared =
      store_.prepare(next_number_, prepared_bytes_for(std::max(segment_bytes_, needed)));
  if (!prepared) return std::unexpected(prepared.error());
  standby_ = std::move(*prepared);
  WRITEAHEAD_CHECK(fits(body_bytes));
  return {};
}

Committer::Group Committer::take_group() {
  MutexLock lock(mutex_);
  Group group{.first = head_};
  PendingAppend* last = nullptr;
  while (head_ != nullptr && fits(group.body_bytes + head_->encoded_bytes()) &&
         group.records + head_->record_count() <= kMaxFrameRecords) {
    group.body_bytes += head_->encoded_bytes();
    group.records += head_->record_count();
    group.payload_bytes += head_->payload_bytes();
    ++group.appends;
    last = head_;
    head_ = head_->next;
  }
  WRITEAHEAD_CHECK(last != nullptr);
  last->next = nullptr;
  if (head_ == nullptr) tail_ = nullptr;
  queued_.fetch_sub(group.appends, std::memory_order_relaxed);
  return group;
}

SegmentHeader Committer::next_header(uint64_t time_ns) const {
  SegmentHeader header{.cause = SegmentCause::create,
                       .log_id = log_id_,
                       .number = next_number_,
                       .epoch = epoch_,
                       .base_lsn = position_.lsn,
                       .base_ordinal = position_.ordinal,
                       .prepared_bytes = standby_->bytes(),
                       .created_ns = std::max(time_ns, position_.time_ns),
                       .link = {}};
  if (active_ != nullptr) {
    header.cause = SegmentCause::rotate;
    header.link = {
        .number = active_header_.number, .end_lsn = position_.lsn, .digest = position_.digest};
  }
  return header;
}

/// One frame, one write, one barrier. Everything that needs memory comes before the write.
Result<void> Committer::commit(const Group& group) {
  const uint64_t time_ns = env_.wall_clock_ns();
  const bool begins_segment = standby_ != nullptr;
  SegmentHeader header = active_header_;
  LogPosition position = position_;
  SegmentBinding binding = binding_;
  SegmentTable::Addition addition;
  if (begins_segment) {
    header = next_header(time_ns);
    position.digest = 0;
    binding = SegmentBinding::of(log_id_, header.number);
    addition = SegmentTable::prepare(header, standby_);
  } else {
    table_.reserve();
  }
  const uint64_t at = segment_offset(header.base_lsn, position.lsn);
  buffer_.begin(at, frame_bytes(group.body_bytes));
  const FrameHeader frame =
      build_frame(buffer_.frame(), group.first, epoch_, time_ns, binding, position);
  // The header block goes out in one write with the first frame: a rotation costs no barrier.
  if (begins_segment) encode_segment_header(header, buffer_.header_block());
  end_lsn_.store(position.lsn.value(), std::memory_order_release);

  SegmentWriter& writer = begins_segment ? *standby_ : *active_;
  // CRASH: the frame is there whole, or recovery cuts what there is of it. Nobody was told yet.
  if (auto written = writer.append(at, buffer_); !written) return written;
  // Somebody else's write failed meanwhile: nothing is acknowledged after that.
  if (const auto failed = failure()) return std::unexpected(*failed);

  if (begins_segment) {
    table_.add(std::move(addition));
    active_ = std::move(standby_);
    active_header_ = header;
    binding_ = binding;
    must_rotate_ = false;
    ++next_number_;
  }
  position_ = position;
  table_.extend(frame, position.digest);
  publish(group, frame);
  return {};
}

/// Everything up to the end of `frame` is durable; followers hear of it before the appenders do.
void Committer::publish(const Group& group, const FrameHeader& frame) {
  store_.publish_durable(position_.lsn);
  last_commit_ns_.store(env_.monotonic_ns(), std::memory_order_relaxed);
  const uint64_t blocks = round_up(buffer_.prefix().size() + frame.length, kBlockBytes) +
                          (buffer_.has_header() ? kSegmentHeaderBytes : 0);
  MutexLock lock(mutex_);
  // Both together: a root that paired an Lsn with the segment before would accuse a sound log.
  durable_lsn_.store(position_.lsn.value(), std::memory_order_release);
  durable_number_ = active_header_.number;
  if (buffer_.has_header()) ++stats_.segments_opened;
  stats_.records += group.records;
  stats_.payload_bytes += group.payload_bytes;
  stats_.frames += 1;
  stats_.frame_bytes += frame.length;
  stats_.written_bytes += blocks;
  stats_.largest_group = std::max(stats_.largest_group, group.appends);
}

/// Answers `group` and everything that waits behind it with `error`, in order, so that no later
/// append passes an earlier one that failed. Returns all of them as one group.
Committer::Group Committer::refuse_all(Group group, const Error& error) {
  MutexLock lock(mutex_);
  PendingAppend** last = &group.first;
  while (*last != nullptr) last = &(*last)->next;
  *last = head_;
  head_ = tail_ = nullptr;
  queued_.store(0, std::memory_order_relaxed);
  group.appends = 0;
  for (PendingAppend* append = group.first; append != nullptr; append = append->next) {
    append->error = error;
    ++group.appends;
    if (error.code() == ErrorCode::no_space) ++stats_.no_space;
  }
  return group;
}

/// The first of those who came meanwhile leads from here on, before anybody else is woken.
void Committer::hand_on() {
  MutexLock lock(mutex_);
  if (head_ != nullptr && !is_pause_wanted_) {
    head_->signal(PendingAppend::Signal::lead);
    return;
  }
  is_led_ = false;
  idle_.notify_all();
}

void Committer::wake(const Group& group, const PendingAppend& own) {
  for (PendingAppend* append = group.first; append != nullptr;) {
    PendingAppend* const next = append->next;  // Once woken, the append may be gone.
    if (append != &own) append->signal(PendingAppend::Signal::done);
    append = next;
  }
}

void Committer::pause() {
  MutexLock lock(mutex_);
  is_pause_wanted_ = true;
  while (is_led_) idle_.wait(mutex_);
  is_led_ = true;
}

void Committer::resume() {
  {
    MutexLock lock(mutex_);
    is_pause_wanted_ = false;
  }
  hand_on();
}

void Committer::restart(CommitStart start) {
  active_ = std::move(start.active);
  active_header_ = start.active_header;
  binding_ = SegmentBinding::of(log_id_, active_header_.number);
  position_ = start.position;
  epoch_ = start.epoch;
  must_rotate_ = active_ == nullptr;
  if (active_ != nullptr) next_number_ = active_header_.number + 1;
  MutexLock lock(mutex_);
  end_lsn_.store(position_.lsn.value(), std::memory_order_release);
  durable_lsn_.store(position_.lsn.value(), std::memory_order_release);
  durable_number_ = active_ ? active_header_.number : next_number_;
}

void Committer::close(const Error& error) {
  MutexLock lock(mutex_);
  if (!closed_) closed_ = error;
  // During a pause nobody leads those who wait.
  while (is_led_ || head_ != nullptr) idle_.wait(mutex_);
}

void Committer::fail(const Error& cause) {
  const Error error = with_code(cause, ErrorCode::failed);
  MutexLock lock(mutex_);
  if (!failure_) failure_ = error;
}

std::optional<Error> Committer::failure() const {
  MutexLock lock(mutex_);
  return failure_;
}

ProvenPosition Committer::durable_position() const {
  MutexLock lock(mutex_);
  return {.number = durable_number_, .lsn = durable_lsn()};
}

Stats Committer::stats() const {
  MutexLock lock(mutex_);
  Stats stats = stats_;
  stats.sync_method = store_.sync_method();
  stats.recovery_reads_device = store_.reads_device();
  return stats;
}

}  // namespace writeahead::internal
