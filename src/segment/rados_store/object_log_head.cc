// The head of a log in objects: who owns the log, and where it begins and ends.
// Ownership is taken here, and the log destroyed.
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include "base/error.h"
#include "segment/rados_store/object_attributes.h"
#include "segment/rados_store/object_log.h"

namespace writeahead::internal {
namespace {
using Stored = ObjectGuard::Stored;
}

/// Of the head, by the owner of this log and of no other that has its name.
ObjectChange ObjectLog::change_of_head() const {
  return {.ignores_full = true,
          .guards = {{.attribute = attribute::kLife, .stored = Stored::equal, .value = life_},
                     {.attribute = attribute::kEpoch, .stored = Stored::equal, .value = epoch_}}};
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
  if (attribute::text_of(*view, attribute::kFormat) != attribute::kFormatName) {
    return std::unexpected(make_error(ErrorCode::unsupported_format, "read head",
                                      "it is the head of no log that this version knows",
                                      {.path = path_ + ": " + head_name()}));
  }
  return LogHead{.life = attribute::number_of(*view, attribute::kLife),
                 .is_destroyed = attribute::number_of(*view, attribute::kDestroyed) != 0,
                 .epoch = attribute::number_of(*view, attribute::kEpoch),
                 .active = attribute::number_of(*view, attribute::kActive),
                 .removed = std::max<uint64_t>(attribute::number_of(*view, attribute::kRemoved), 1),
                 .root = decode_root_slot(slot)};
}

/// One try to raise the epoch of the head. False if it was changed meanwhile, be it by the late
/// twin of somebody who is gone.
Result<bool> ObjectLog::raise_epoch(const std::optional<LogHead>& head, std::string_view owner,
                                    const TakeOver& wish) {
  const uint64_t before = head ? head->epoch : 0;
  epoch_ = std::max(before + 1, wish.least_epoch);
  ObjectChange change;
  change.attributes = {{attribute::kEpoch, std::to_string(epoch_)},
                       {attribute::kOwner, std::string(owner)}};
  if (head) {
    change.ignores_full = true;
    life_ = head->life;
    change.guards = {{.attribute = attribute::kLife, .stored = Stored::equal, .value = life_},
                     {.attribute = attribute::kEpoch, .stored = Stored::equal, .value = before}};
    if (wish.must_create && !head->is_destroyed) {
      // Nor has whoever was making it written a root since: then it is a log, and theirs.
      change.guards.push_back(
          {.attribute = attribute::kSequence, .stored = Stored::below, .value = 1});
    }
  } else {
    uint64_t life = 0;
    constexpr size_t kDigits = 16;
    const std::string_view digits = owner.substr(0, kDigits);
    std::from_chars(digits.data(), digits.data() + digits.size(), life, 16);
    life_ = std::max<uint64_t>(life, 1);
    change.creates = true;
    change.attributes.emplace_back(attribute::kFormat, std::string(attribute::kFormatName));
    change.attributes.emplace_back(attribute::kLife, std::to_string(life_));
  }
  const auto made = make({.action = "take over log", .object = head_name(), .path = path_}, change,
                         [&](const ObjectView& view) {
                           return attribute::number_of(view, attribute::kEpoch) == epoch_ &&
                                  attribute::text_of(view, attribute::kOwner) == owner;
                         });
  if (made) return true;
  const ErrorCode code = made.error().code();
  if (code == ErrorCode::corruption || code == ErrorCode::fenced) return false;
  return std::unexpected(made.error());
}

/// One try: the head as it was taken over, with what it says for good. Nothing if somebody else
/// came in between, or if a destruction ended there, so that it is to be tried again.
Result<std::optional<LogHead>> ObjectLog::try_take_over(const TakeOver& wish,
                                                        std::string_view owner) {
  auto head = read_any_head();
  if (!head) return head;
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
  auto raised = raise_epoch(*head, owner, wish);
  if (!raised) return std::unexpected(raised.error());
  if (!*raised) return std::nullopt;
  if (*head && !is_there) {
    // Somebody's destruction ended on its way: it is finished, and the name is free.
    auto removed = remove_what_is_left(**head);
    return removed ? Result<std::optional<LogHead>>(std::nullopt)
                   : std::unexpected(removed.error());
  }
  // Every change of an older owner names its epoch: what the head says now is final. One that was
  // still on its way may have destroyed the log.
  auto taken = read_head();
  if (!taken || !*taken || (*taken)->epoch == epoch_) return taken;
  return std::nullopt;
}

Result<LogHead> ObjectLog::take_over(const TakeOver& wish, std::string_view owner) {
  constexpr int kTries = 10;
  std::optional<LogHead> head;
  for (int i = 0; i < kTries && !head; ++i) {
    auto taken = try_take_over(wish, owner);
    if (!taken) return std::unexpected(taken.error());
    head = std::move(*taken);
  }
  if (!head) {
    return std::unexpected(
        make_error(ErrorCode::fenced, "take over log", kTakenOver, {.path = path_}));
  }
  active_ = head->active;
  // One that was trimmed, with all others, is not appended to any more, and may be gone.
  const RootState& root = head->root.root;
  const bool is_trimmed = head->root.state == HeaderState::valid && active_ < root.first.number;
  if (active_ != 0 && !is_trimmed) {
    auto fenced = fence_segment(active_);
    const bool is_damaged = !fenced && fenced.error().code() == ErrorCode::corruption;
    if (!fenced && !(is_damaged && wish.is_to_go)) return std::unexpected(fenced.error());
  }
  return std::move(*head);
}

/// From here on nobody older can append to it, and its length is final.
Result<void> ObjectLog::fence_segment(uint64_t number) {
  ObjectChange change;
  change.ignores_full = true;
  change.guards = {{.attribute = attribute::kEpoch, .stored = Stored::below, .value = epoch_}};
  change.attributes = {{attribute::kEpoch, std::to_string(epoch_)}};
  return make(
      {.action = "take over segment", .object = segment_name(number), .path = segment_path(number)},
      change, [&](const ObjectView& view) {
        return attribute::number_of(view, attribute::kEpoch) == epoch_;
      });
}

Result<void> ObjectLog::write_root(std::span<const std::byte> slot, uint64_t sequence,
                                   uint64_t removed) {
  ObjectChange change = change_of_head();
  // A late twin of an older root must not bring that back.
  change.guards.push_back(
      {.attribute = attribute::kSequence, .stored = Stored::below, .value = sequence});
  change.bytes = slot;
  change.attributes = {{attribute::kSequence, std::to_string(sequence)},
                       {attribute::kRemoved, std::to_string(removed)}};
  return make({.action = "write head", .object = head_name(), .path = path_}, change,
              [&](const ObjectView& view) {
                return attribute::number_of(view, attribute::kSequence) == sequence;
              });
}

Result<void> ObjectLog::set_active(uint64_t number) {
  ObjectChange change = change_of_head();
  change.guards.push_back(
      {.attribute = attribute::kActive, .stored = Stored::below, .value = number});
  change.attributes = {{attribute::kActive, std::to_string(number)}};
  auto named =
      make({.action = "begin segment", .object = head_name(), .path = segment_path(number)}, change,
           [&](const ObjectView& view) {
             return attribute::number_of(view, attribute::kActive) == number;
           });
  if (named) active_ = number;
  return named;
}

Result<void> ObjectLog::destroy(const LogHead& head) {
  ObjectChange change = change_of_head();
  change.attributes = {{attribute::kDestroyed, "1"}};
  auto marked = make({.action = "destroy log", .object = head_name(), .path = path_}, change,
                     [&](const ObjectView& view) {
                       return attribute::number_of(view, attribute::kDestroyed) != 0;
                     });
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
