// The changes, and finding out what became of those without an answer.
// All attributes of a log's objects are named here and nowhere else.
#include "segment/rados_store/object_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <thread>
#include <utility>

#include "base/error.h"

namespace writeahead::internal {
namespace {

using Stored = ObjectGuard::Stored;

constexpr std::string_view kFormat = "format";
constexpr std::string_view kLife = "life";
constexpr std::string_view kDestroyed = "destroyed";
constexpr std::string_view kEpoch = "epoch";
constexpr std::string_view kOwner = "owner";
constexpr std::string_view kActive = "active";
constexpr std::string_view kRemoved = "removed";
constexpr std::string_view kSequence = "sequence";
constexpr std::string_view kBase = "base";
constexpr std::string_view kLength = "len";
constexpr std::string_view kCapacity = "capacity";
/// Between two tries of a change.
constexpr std::chrono::microseconds kShortestPause = std::chrono::microseconds(100);
constexpr std::chrono::microseconds kLongestPause = std::chrono::milliseconds(100);

constexpr std::string_view kFormatName = "writeahead 1";

std::string_view text_of(const ObjectView& view, std::string_view attribute) {
  const auto found = view.attributes.find(attribute);
  return found == view.attributes.end() ? std::string_view{} : std::string_view(found->second);
}

/// As the store reads it for a guard: 0 if it is missing.
uint64_t number_of(const ObjectView& view, std::string_view attribute) {
  const std::string_view text = text_of(view, attribute);
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

SegmentObject to_segment(const ObjectView& view) {
  return {.length = number_of(view, kLength),
          .capacity = number_of(view, kCapacity),
          .base_lsn = Lsn(number_of(view, kBase))};
}

/// Of what is to be removed: as long as there is something to look at it was not.
bool is_removed(const ObjectView&) { return false; }

}  // namespace

/// What is being done, for messages.
struct ObjectLog::Task {
  std::string_view action;
  std::string object;
  std::string path;
  std::optional<uint64_t> offset = {};
};

std::string ObjectLog::segment_name(uint64_t number) const {
  // A log that is made anew under a name never meets what is on its way to the one before.
  return fmt::format("{}.seg.{:016x}.{:020}", address_.name, life_.load(), number);
}

std::string ObjectLog::segment_path(uint64_t number) const {
  return fmt::format("{}: {}", path_, segment_name(number));
}

ObjectLog::Deadline ObjectLog::patience_from_now() const {
  return std::chrono::steady_clock::now() + std::chrono::milliseconds(address_.patience_ms);
}

/// Of the head, by the owner of this log and of no other that has its name.
ObjectChange ObjectLog::change_of_head() const {
  return {.guards = {{.attribute = kLife, .stored = Stored::equal, .value = life_},
                     {.attribute = kEpoch, .stored = Stored::equal, .value = epoch_}}};
}

/// A read changes nothing: it is made again as long as there is patience.
SystemResult<ObjectView> ObjectLog::look(const std::string& object, uint64_t offset,
                                         std::span<std::byte> out, Deadline deadline) {
  while (true) {
    auto view = address_.store->read(object, offset, out);
    if (view || view.error().number != ETIMEDOUT) return view;
    if (std::chrono::steady_clock::now() >= deadline) return view;
  }
}

/// Makes a change, and returns when it is known to be made. `is_done` says of an object whether it
/// was. An owner whose epoch is not the object's any more was fenced. Making it again is harmless
/// where its guards hold only as long as it was not made; so the late twin of one that was given up
/// comes to nothing.
template <class IsDone>
Result<void> ObjectLog::make(const Task& task, const ObjectChange& change, const IsDone& is_done) {
  const auto refuse = [&](ErrorCode code, std::string_view cause) {
    return std::unexpected(
        make_error(code, task.action, cause, {.path = task.path, .offset = task.offset}));
  };
  const Deadline deadline = patience_from_now();
  std::chrono::microseconds pause = kShortestPause;
  while (true) {
    const auto answer = address_.store->change(task.object, change);
    if (!answer) {
      if (answer.error().number == ESHUTDOWN) {
        return refuse(ErrorCode::fenced, "the store has shut this client out");
      }
      return std::unexpected(
          io_error(task.action, answer.error(), {.path = task.path, .offset = task.offset}));
    }
    if (*answer == ObjectAnswer::done) return {};
    if (*answer == ObjectAnswer::missing) {
      if (change.removes) return {};
      // Whoever has taken the log over may have trimmed it.
      auto head = read_head();
      if (head && !*head) return refuse(ErrorCode::fenced, "the log was destroyed");
      if (head && (*head)->epoch > epoch_) {
        return refuse(ErrorCode::fenced, "another writer has taken the log over");
      }
      return refuse(ErrorCode::corruption, "the object is gone");
    }
    const auto view = look(task.object, 0, {}, deadline);
    const bool is_missing = !view && view.error().number == ENOENT;
    if (!view && !is_missing) {
      return std::unexpected(
          io_error(task.action, view.error(), {.path = task.path, .offset = task.offset}));
    }
    if (is_missing && change.removes) return {};
    if (view) {
      // Of the head alone: a segment's name has it.
      const uint64_t life = number_of(*view, kLife);
      if (life != 0 && life != life_) {
        return refuse(ErrorCode::fenced, "the log was destroyed, and another one was made");
      }
      if (number_of(*view, kEpoch) > epoch_) {
        return refuse(ErrorCode::fenced, "another writer has taken the log over");
      }
      if (is_done(*view)) return {};
      if (*answer != ObjectAnswer::unknown) {
        return refuse(ErrorCode::corruption, "the object is not what this owner made of it");
      }
    }
    // Neither the store nor this processor gains by more haste.
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, kLongestPause);
    if (std::chrono::steady_clock::now() >= deadline) {
      return std::unexpected(
          make_error(ErrorCode::io, task.action,
                     fmt::format("no answer within {} ms: nobody knows whether it was done",
                                 address_.patience_ms),
                     {.path = task.path, .offset = task.offset}, ETIMEDOUT));
    }
  }
}

Result<std::optional<LogHead>> ObjectLog::read_head() {
  auto head = read_any_head();
  if (!head || !*head) return head;
  uint64_t unseen = 0;
  life_.compare_exchange_strong(unseen, (*head)->life);
  if ((*head)->life != life_ || (*head)->is_destroyed) return std::nullopt;
  return head;
}

Result<std::optional<LogHead>> ObjectLog::read_any_head() {
  std::array<std::byte, kRootSlotBytes> slot{};
  const auto view = look(head_name(), 0, slot, patience_from_now());
  if (!view) {
    if (view.error().number == ENOENT) return std::nullopt;
    return std::unexpected(io_error("read head", view.error(), {.path = path_}));
  }
  if (text_of(*view, kFormat) != kFormatName) {
    return std::unexpected(make_error(ErrorCode::unsupported_format, "read head",
                                      "it is the head of no log that this version knows",
                                      {.path = path_ + ": " + head_name()}));
  }
  return LogHead{.life = number_of(*view, kLife),
                 .is_destroyed = number_of(*view, kDestroyed) != 0,
                 .epoch = number_of(*view, kEpoch),
                 .active = number_of(*view, kActive),
                 .removed = std::max<uint64_t>(number_of(*view, kRemoved), 1),
                 .root = decode_root_slot(slot)};
}

/// One try to raise the epoch of the head. False if it was changed meanwhile, be it by the late
/// twin of somebody who is gone.
Result<bool> ObjectLog::raise_epoch(const std::optional<LogHead>& head, std::string_view owner) {
  const uint64_t before = head ? head->epoch : 0;
  epoch_ = before + 1;
  ObjectChange change;
  change.attributes = {{kEpoch, std::to_string(epoch_)}, {kOwner, std::string(owner)}};
  if (head) {
    life_ = head->life;
    change.guards = {{.attribute = kLife, .stored = Stored::equal, .value = life_},
                     {.attribute = kEpoch, .stored = Stored::equal, .value = before}};
  } else {
    uint64_t life = 0;
    constexpr size_t kDigits = 16;
    const std::string_view digits = owner.substr(0, kDigits);
    std::from_chars(digits.data(), digits.data() + digits.size(), life, 16);
    life_ = std::max<uint64_t>(life, 1);
    change.creates = true;
    change.attributes.emplace_back(kFormat, std::string(kFormatName));
    change.attributes.emplace_back(kLife, std::to_string(life_));
  }
  const auto made =
      make({.action = "take over log", .object = head_name(), .path = path_}, change,
           [&](const ObjectView& view) {
             return number_of(view, kEpoch) == epoch_ && text_of(view, kOwner) == owner;
           });
  if (made) return true;
  const ErrorCode code = made.error().code();
  if (code == ErrorCode::corruption || code == ErrorCode::fenced) return false;
  return std::unexpected(made.error());
}

Result<LogHead> ObjectLog::take_over(const TakeOver& wish, std::string_view owner) {
  constexpr int kTries = 10;
  const auto beaten = [&] {
    return std::unexpected(make_error(ErrorCode::fenced, "take over log",
                                      "another writer has taken the log over", {.path = path_}));
  };
  bool is_raised = false;
  for (int i = 0; i < kTries && !is_raised; ++i) {
    auto head = read_any_head();
    if (!head) return std::unexpected(head.error());
    const bool is_there = *head && !(*head)->is_destroyed;
    if (!is_there && !wish.may_create) {
      return std::unexpected(
          make_error(ErrorCode::not_found, "open log", "there is no log there", {.path = path_}));
    }
    // Before anybody is fenced for it.
    if (wish.must_create && is_there && (*head)->root.state == HeaderState::valid) {
      return std::unexpected(make_error(ErrorCode::invalid_argument, "create log",
                                        "there is a log already", {.path = path_}));
    }
    auto raised = raise_epoch(*head, owner);
    if (!raised) return std::unexpected(raised.error());
    is_raised = *raised && (is_there || !*head);
    if (*raised && !is_raised) {
      // Somebody's destruction ended on its way: it is finished, and the name is free.
      if (auto removed = remove_what_is_left(**head); !removed) {
        return std::unexpected(removed.error());
      }
    }
  }
  if (!is_raised) return beaten();
  // Every change of an older owner to the head names its epoch: what it says now is final.
  auto head = read_head();
  if (!head) return std::unexpected(head.error());
  if (!*head || (*head)->epoch != epoch_) return beaten();
  active_ = (*head)->active;
  // One that was trimmed, with all others, is not appended to any more, and may be gone.
  const RootState& root = (*head)->root.root;
  const bool is_trimmed = (*head)->root.state == HeaderState::valid && active_ < root.first.number;
  if (active_ != 0 && !is_trimmed) {
    auto fenced = fence_segment(active_);
    const bool is_damaged = !fenced && fenced.error().code() == ErrorCode::corruption;
    if (!fenced && !(is_damaged && wish.is_to_go)) return std::unexpected(fenced.error());
  }
  return std::move(**head);
}

/// From here on nobody older can append to it, and its length is final.
Result<void> ObjectLog::fence_segment(uint64_t number) {
  ObjectChange change;
  change.guards = {{.attribute = kEpoch, .stored = Stored::below, .value = epoch_}};
  change.attributes = {{kEpoch, std::to_string(epoch_)}};
  return make(
      {.action = "take over segment", .object = segment_name(number), .path = segment_path(number)},
      change, [&](const ObjectView& view) { return number_of(view, kEpoch) == epoch_; });
}

Result<void> ObjectLog::write_root(std::span<const std::byte> slot, uint64_t sequence,
                                   uint64_t removed) {
  ObjectChange change = change_of_head();
  // A late twin of an older root must not bring that back.
  change.guards.push_back({.attribute = kSequence, .stored = Stored::below, .value = sequence});
  change.bytes = slot;
  change.attributes = {{kSequence, std::to_string(sequence)}, {kRemoved, std::to_string(removed)}};
  return make({.action = "write head", .object = head_name(), .path = path_}, change,
              [&](const ObjectView& view) { return number_of(view, kSequence) == sequence; });
}

Result<void> ObjectLog::set_active(uint64_t number) {
  ObjectChange change = change_of_head();
  change.guards.push_back({.attribute = kActive, .stored = Stored::below, .value = number});
  change.attributes = {{kActive, std::to_string(number)}};
  auto named =
      make({.action = "begin segment", .object = head_name(), .path = segment_path(number)}, change,
           [&](const ObjectView& view) { return number_of(view, kActive) == number; });
  if (named) active_ = number;
  return named;
}

Result<std::optional<SegmentObject>> ObjectLog::find_segment(uint64_t number) {
  const auto view = look(segment_name(number), 0, {}, patience_from_now());
  if (view) return to_segment(*view);
  if (view.error().number == ENOENT) return std::nullopt;
  return std::unexpected(io_error("open segment", view.error(), {.path = segment_path(number)}));
}

/// One that is there was made by an owner who was fenced before the head named it, or by this one,
/// whose answer was lost: nothing was ever appended to it.
Result<void> ObjectLog::create_segment(uint64_t number, std::span<const std::byte> header,
                                       const SegmentObject& segment) {
  const Task task{
      .action = "create segment", .object = segment_name(number), .path = segment_path(number)};
  const auto is_mine = [&](const ObjectView& view) { return number_of(view, kEpoch) == epoch_; };
  ObjectChange change;
  change.bytes = header;
  change.attributes = {{kEpoch, std::to_string(epoch_)},
                       {kLength, std::to_string(header.size())},
                       {kBase, std::to_string(segment.base_lsn.value())},
                       {kCapacity, std::to_string(segment.capacity)}};
  change.creates = true;
  auto made = make(task, change, is_mine);
  const bool is_there = !made && made.error().code() == ErrorCode::corruption;
  if (!is_there) return made;
  change.creates = false;
  change.guards = {{.attribute = kEpoch, .stored = Stored::below, .value = epoch_},
                   {.attribute = kLength, .stored = Stored::equal, .value = header.size()}};
  return make(task, change, is_mine);
}

Result<void> ObjectLog::append(uint64_t number, uint64_t length, std::span<const std::byte> bytes) {
  const uint64_t end = length + bytes.size();
  ObjectChange change;
  change.guards = {{.attribute = kEpoch, .stored = Stored::at_most, .value = epoch_},
                   {.attribute = kLength, .stored = Stored::equal, .value = length}};
  change.bytes = bytes;
  change.offset = length;
  change.attributes = {{kEpoch, std::to_string(epoch_)}, {kLength, std::to_string(end)}};
  return make({.action = "append to segment",
               .object = segment_name(number),
               .path = segment_path(number),
               .offset = length},
              change, [&](const ObjectView& view) { return number_of(view, kLength) == end; });
}

Result<void> ObjectLog::read(uint64_t number, uint64_t offset, std::span<std::byte> out) {
  const auto view = look(segment_name(number), offset, out, patience_from_now());
  if (!view) {
    return std::unexpected(
        io_error("read segment", view.error(), {.path = segment_path(number), .offset = offset}));
  }
  std::ranges::fill(out.subspan(view->bytes), std::byte{0});
  return {};
}

Result<void> ObjectLog::remove(uint64_t number) {
  ObjectChange change;
  change.removes = true;
  change.guards = {{.attribute = kEpoch, .stored = Stored::at_most, .value = epoch_}};
  return make(
      {.action = "remove segment", .object = segment_name(number), .path = segment_path(number)},
      change, is_removed);
}

Result<void> ObjectLog::destroy(const LogHead& head) {
  ObjectChange change = change_of_head();
  change.attributes = {{kDestroyed, "1"}};
  auto marked = make({.action = "destroy log", .object = head_name(), .path = path_}, change,
                     [&](const ObjectView& view) { return number_of(view, kDestroyed) != 0; });
  // CRASH: the log is there, or it is gone; its objects go when the name is taken the next time.
  return marked ? remove_what_is_left(head) : marked;
}

/// A segment that the head did not name yet may be there, too.
Result<void> ObjectLog::remove_what_is_left(const LogHead& head) {
  for (uint64_t number = head.removed; number <= head.active + 1; ++number) {
    if (auto removed = remove(number); !removed) return removed;
  }
  ObjectChange change = change_of_head();
  change.removes = true;
  return make({.action = "remove head", .object = head_name(), .path = path_}, change, is_removed);
}

}  // namespace writeahead::internal
