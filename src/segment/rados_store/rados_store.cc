// Opening, the root, and the segments of a log in objects.
// What a change does to an object stands in object_log.cc.
#include "segment/rados_store/rados_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "segment/rados_store/rados_segment.h"

namespace writeahead::internal {
namespace {

/// A random word that nobody else has.
Result<std::string> make_owner(Env& env) {
  Identifier word{};
  if (auto filled = env.random(word); !filled) {
    return std::unexpected(io_error("take over log", filled.error()));
  }
  std::string text;
  for (const std::byte byte : word) text += fmt::format("{:02x}", std::to_integer<int>(byte));
  return text;
}

/// What of a root has to be written. Where the log ends, its last segment says.
std::vector<std::byte> lasting_part(RootState root) {
  root.proven = {};
  root.is_clean = false;
  root.is_copying = false;
  std::vector<std::byte> slot(kRootSlotBytes);
  encode_root_slot(root, 0, slot);
  return slot;
}

}  // namespace

Result<std::unique_ptr<RadosStore>> RadosStore::open(Env& env, ObjectAddress address,
                                                     const std::string& path,
                                                     const Options& options, uint64_t least_epoch) {
  auto owner = make_owner(env);
  if (!owner) return std::unexpected(owner.error());
  auto log = std::make_shared<ObjectLog>(std::move(address), path);
  auto head = log->take_over({.may_create = options.create_if_missing,
                              .must_create = options.error_if_exists,
                              .least_epoch = least_epoch},
                             *owner);
  if (!head) return std::unexpected(head.error());
  std::unique_ptr<RadosStore> store(new RadosStore(std::move(log)));
  store->removed_ = head->removed;
  store->sequence_ = head->root.sequence;
  store->allows_threads_ = options.background != BackgroundWork::stepped;
  if (head->root.state == HeaderState::valid) store->first_ = head->root.root.first.number;
  store->taken_ = std::move(*head);
  return store;
}

Result<std::unique_ptr<RadosStore>> RadosStore::open_read_only(ObjectAddress address,
                                                               const std::string& path) {
  std::unique_ptr<RadosStore> store(
      new RadosStore(std::make_shared<ObjectLog>(std::move(address), path)));
  auto head = store->current_head();
  if (!head) return std::unexpected(head.error());
  store->watch_ = store->log_->watch([raw = store.get()] { raw->note_change(); });
  return store;
}

Result<LogHead> RadosStore::current_head() {
  // Nobody else can change it: or else every change of this owner is refused.
  if (taken_) return *taken_;
  auto head = log_->read_head();
  if (!head) return std::unexpected(head.error());
  if (*head) return std::move(**head);
  return std::unexpected(
      make_error(ErrorCode::not_found, "open log", "there is no log there", {.path = path()}));
}

/// The segment that is appended to has exactly what was appended: so much is proven, and a break
/// before its end is damage.
Result<ProvenPosition> RadosStore::end_of(const LogHead& head) {
  const LogStart& first = head.root.root.first;
  if (head.active < first.number) return ProvenPosition{first.number, first.lsn};
  auto segment = find_segment(head.active);
  if (!segment) return std::unexpected(segment.error());
  if (!is_owner()) {
    // Behind its last frame is a seal, if its writer has gone on to the next one meanwhile.
    auto now = current_head();
    if (!now) return std::unexpected(now.error());
    if (now->active != head.active) return end_of(*now);
  }
  const uint64_t length = std::max(segment->length, kSegmentHeaderBytes);
  return ProvenPosition{head.active, segment->base_lsn + (length - kSegmentHeaderBytes)};
}

/// An epoch that was taken and never used counts as one that was.
Result<RootSlots> RadosStore::load_root() {
  auto head = current_head();
  if (!head) return std::unexpected(head.error());
  RootSlots slots;
  slots.slot = {head->root, head->root};
  if (head->root.state != HeaderState::valid) return slots;
  auto proven = end_of(*head);
  // Whoever looks at the segments says what is missing.
  if (!proven && proven.error().code() == ErrorCode::corruption) {
    proven = ProvenPosition{head->active, head->root.root.first.lsn};
  }
  if (!proven) return std::unexpected(proven.error());
  for (DecodedRootSlot& slot : slots.slot) {
    slot.root.epoch = is_owner() ? log_->epoch() - 1 : head->epoch;
    slot.root.proven = *proven;
    slot.root.is_clean = true;
  }
  return slots;
}

Result<void> RadosStore::claim(const RootState& root) {
  // A copy may begin at any number: nothing was ever below.
  if (taken_->root.state != HeaderState::valid) removed_ = root.first.number;
  return put_root(root);
}

Result<void> RadosStore::write_root(const RootState& root) {
  return lasting_part(root) == written_root_ ? Result<void>{} : put_root(root);
}

Result<void> RadosStore::put_root(RootState root) {
  // What is there is whole: a copy that is being made ends where its last segment does.
  root.is_copying = false;
  auto lasting = lasting_part(root);
  std::array<std::byte, kRootSlotBytes> slot{};
  encode_root_slot(root, sequence_ + 1, slot);
  if (auto written = log_->write_root(slot, sequence_ + 1, removed_); !written) return written;
  ++sequence_;
  written_root_ = std::move(lasting);
  first_ = root.first.number;
  return {};
}

/// Numbers go on without a gap, from the first that may still be there.
Result<std::vector<uint64_t>> RadosStore::list() {
  auto head = current_head();
  if (!head) return std::unexpected(head.error());
  std::vector<uint64_t> numbers;
  for (uint64_t number = head->removed; number <= head->active; ++number) {
    numbers.push_back(number);
  }
  return numbers;
}

/// The first and the last one that have to be there.
Result<std::pair<uint64_t, uint64_t>> RadosStore::segments_there() {
  if (is_owner()) return std::pair(first_.load(), log_->active());
  auto head = current_head();
  if (!head) return std::unexpected(head.error());
  return std::pair(head->root.root.first.number, head->active);
}

Result<SegmentObject> RadosStore::find_segment(uint64_t number) {
  auto segment = log_->find_segment(number);
  if (!segment) return std::unexpected(segment.error());
  return *segment ? Result<SegmentObject>(**segment) : std::unexpected(missing_segment(number));
}

/// It was trimmed, or else that is damage.
Error RadosStore::missing_segment(uint64_t number) {
  const auto extent = segments_there();
  if (!extent) return extent.error();
  if (number >= extent->first && number <= extent->second) {
    // By another owner, who does not tell.
    if (is_owner()) return log_->missing_segment(number);
    return make_error(ErrorCode::corruption, "open segment", "the object is missing",
                      {.path = segment_path(number)});
  }
  return io_error("open segment", SystemError{ENOENT}, {.path = segment_path(number)});
}

Result<std::shared_ptr<SegmentReader>> RadosStore::open(uint64_t number) {
  auto segment = find_segment(number);
  if (!segment) return std::unexpected(segment.error());
  return std::make_shared<RadosSegment>(log_, number, *segment, is_owner());
}

/// One request a segment: an opening looks at each of them.
Result<uint64_t> RadosStore::read_head(uint64_t number, std::span<std::byte> block) {
  auto segment = log_->find_segment(number, block);
  if (!segment) return std::unexpected(segment.error());
  if (!*segment) return std::unexpected(missing_segment(number));
  return std::max((*segment)->capacity, (*segment)->length);
}

Result<std::shared_ptr<SegmentWriter>> RadosStore::open_for_append(uint64_t number, uint64_t end) {
  auto segment = find_segment(number);
  if (!segment) return std::unexpected(segment.error());
  // A seal that does not verify stands behind the end: there is no other place for one.
  if (segment->length != end) {
    return std::unexpected(make_error(ErrorCode::corruption, "append to segment",
                                      "it does not end where its frames do",
                                      {.path = segment_path(number), .offset = segment->length}));
  }
  return std::make_shared<RadosSegment>(log_, number, *segment, true);
}

Result<std::shared_ptr<SegmentWriter>> RadosStore::create(uint64_t number) {
  return std::make_shared<RadosSegment>(log_, number);
}

Result<void> RadosStore::remove(std::span<const uint64_t> numbers) {
  for (const uint64_t number : numbers) {
    if (auto removed = log_->remove(number); !removed) return removed;
  }
  return {};
}

/// The head says from where on they may still be there, when it is written the next time.
Result<std::vector<uint64_t>> RadosStore::drop(std::span<const uint64_t> numbers) {
  std::vector<uint64_t> kept;
  for (const uint64_t number : numbers) {
    if (!log_->remove(number)) kept.push_back(number);
  }
  removed_ = kept.empty() ? first_.load() : std::min(first_.load(), std::ranges::min(kept));
  return kept;
}

Result<std::string> RadosStore::save_torn(uint64_t number, Lsn lsn, SegmentReader&, uint64_t begin,
                                          uint64_t) {
  return std::unexpected(make_error(ErrorCode::corruption, "open log",
                                    "an object is never torn, and this one does not verify",
                                    {.path = segment_path(number), .offset = begin, .lsn = lsn}));
}

Result<bool> RadosStore::is_destroyed() {
  auto head = log_->read_head();
  if (!head) return std::unexpected(head.error());
  return !*head;
}

uint64_t RadosStore::wake_followers() {
  log_->notify();
  return 0;
}

void RadosStore::note_change() {
  const std::lock_guard lock(change_mutex_);
  changes_.fetch_add(1);
  changed_.notify_all();
}

std::optional<ControlSigns> RadosStore::control_signs() {
  return ControlSigns{.changes = changes_.load(), .truncation_count = 0};
}

bool RadosStore::wait_for_change(uint64_t seen, std::chrono::nanoseconds timeout) {
  std::unique_lock lock(change_mutex_);
  changed_.wait_for(lock, timeout, [&] { return changes_.load() != seen; });
  return true;
}

/// The end of the log as it is now, from the store itself.
std::optional<ControlState> RadosStore::read_control() {
  auto head = log_->read_head();
  if (!head || !*head || (*head)->root.state != HeaderState::valid) return std::nullopt;
  auto end = end_of(**head);
  if (!end) return std::nullopt;
  ControlState state;
  state.epoch = (*head)->epoch;
  state.log_id = (*head)->root.root.log_id;
  state.durable_lsn = end->lsn;
  return state;
}

void RadosStore::release() { watch_.reset(); }

Result<void> RadosStore::destroy(Env& env, ObjectAddress address, const std::string& path) {
  auto owner = make_owner(env);
  if (!owner) return std::unexpected(owner.error());
  ObjectLog log(std::move(address), path);
  auto head = log.take_over({.may_create = false, .is_to_go = true}, *owner);
  return head ? log.destroy(*head) : std::unexpected(head.error());
}

}  // namespace writeahead::internal
