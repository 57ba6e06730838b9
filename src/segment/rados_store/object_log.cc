// The segments of a log in objects.
// What is appended stands behind what was appended before, under the newest owner's epoch.
#include "segment/rados_store/object_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "segment/rados_store/object_attributes.h"

namespace writeahead::internal {
namespace {

using Stored = ObjectGuard::Stored;

SegmentObject to_segment(const ObjectView& view) {
  return {.length = attribute::number_of(view, attribute::kLength),
          .capacity = attribute::number_of(view, attribute::kCapacity),
          .base_lsn = Lsn(attribute::number_of(view, attribute::kBase))};
}

}  // namespace

std::string ObjectLog::segment_name(uint64_t number) const {
  // A log that is made anew under a name never meets what is on its way to the one before.
  return fmt::format("{}.seg.{:016x}.{:020}", address_.name, life_.load(), number);
}

std::string ObjectLog::segment_path(uint64_t number) const {
  return fmt::format("{}: {}", path_, segment_name(number));
}

Result<std::optional<SegmentObject>> ObjectLog::find_segment(uint64_t number,
                                                             std::span<std::byte> head) {
  const auto view = look(segment_name(number), 0, head, patience_from_now());
  if (view) {
    std::ranges::fill(head.subspan(view->bytes), std::byte{0});
    return to_segment(*view);
  }
  if (view.error().number == ENOENT) return std::nullopt;
  return std::unexpected(io_error("open segment", view.error(), {.path = segment_path(number)}));
}

/// One that is there was made by an owner who was fenced before the head named it, or by this one,
/// whose answer was lost: nothing was ever appended to it.
Result<void> ObjectLog::create_segment(uint64_t number, std::span<const std::byte> header,
                                       const SegmentObject& segment) {
  const Task task{.action = "create segment",
                  .object = segment_name(number),
                  .path = segment_path(number),
                  .waits_for_space = true};
  const auto is_mine = [&](const ObjectView& view) {
    return attribute::number_of(view, attribute::kEpoch) == epoch_;
  };
  ObjectChange change;
  change.bytes = header;
  change.attributes = {{attribute::kEpoch, std::to_string(epoch_)},
                       {attribute::kLength, std::to_string(header.size())},
                       {attribute::kBase, std::to_string(segment.base_lsn.value())},
                       {attribute::kCapacity, std::to_string(segment.capacity)}};
  change.creates = true;
  auto made = make(task, change, is_mine);
  const bool is_there = !made && made.error().code() == ErrorCode::corruption;
  if (!is_there) return made;
  change.creates = false;
  change.guards = {
      {.attribute = attribute::kEpoch, .stored = Stored::below, .value = epoch_},
      {.attribute = attribute::kLength, .stored = Stored::equal, .value = header.size()}};
  return make(task, change, is_mine);
}

Result<void> ObjectLog::append(uint64_t number, uint64_t length, std::span<const std::byte> bytes) {
  const uint64_t end = length + bytes.size();
  ObjectChange change;
  change.guards = {{.attribute = attribute::kEpoch, .stored = Stored::at_most, .value = epoch_},
                   {.attribute = attribute::kLength, .stored = Stored::equal, .value = length}};
  change.bytes = bytes;
  change.offset = length;
  change.attributes = {{attribute::kEpoch, std::to_string(epoch_)},
                       {attribute::kLength, std::to_string(end)}};
  return make({.action = "append to segment",
               .object = segment_name(number),
               .path = segment_path(number),
               .offset = length,
               .waits_for_space = number == active_},
              change, [&](const ObjectView& view) {
                return attribute::number_of(view, attribute::kLength) == end;
              });
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
  change.guards = {{.attribute = attribute::kEpoch, .stored = Stored::at_most, .value = epoch_}};
  return make(
      {.action = "remove segment", .object = segment_name(number), .path = segment_path(number)},
      change, is_removed);
}

Error ObjectLog::missing_segment(uint64_t number) {
  return error_of_missing(
      {.action = "open segment", .object = segment_name(number), .path = segment_path(number)});
}

}  // namespace writeahead::internal
