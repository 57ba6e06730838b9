// Making one change of an object, and finding out what became of those without an answer.
// Whatever is told here as done is done, once.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>

#include "base/error.h"
#include "segment/rados_store/object_attributes.h"
#include "segment/rados_store/object_log.h"

namespace writeahead::internal {
namespace {

/// Between two tries of a change.
constexpr std::chrono::microseconds kShortestPause = std::chrono::microseconds(100);
constexpr std::chrono::microseconds kLongestPause = std::chrono::milliseconds(100);

}  // namespace

ObjectLog::Deadline ObjectLog::patience_from_now() const {
  return std::chrono::steady_clock::now() + std::chrono::milliseconds(address_.patience_ms);
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

/// An answer that says that there is none says that nothing was changed, too: it can be tried
/// again, for as long as nobody wants the log to end.
bool ObjectLog::waits_for_space(const Task& task) const {
  return task.waits_for_space && waits_for_space_;
}

Error ObjectLog::error_of(const Task& task, SystemError error) {
  const auto said = io_error(task.action, error, {.path = task.path, .offset = task.offset});
  return is_out_of_space(error) ? with_code(said, ErrorCode::no_space) : said;
}

Error ObjectLog::error_of(const Task& task, ErrorCode code, std::string_view cause) {
  return make_error(code, task.action, cause, {.path = task.path, .offset = task.offset});
}

/// Why an object that a change needs is not there: whoever has taken the log over may have trimmed
/// it.
Error ObjectLog::error_of_missing(const Task& task) {
  const auto head = read_head();
  if (!head) return head.error();
  if (!*head) return error_of(task, ErrorCode::fenced, "the log was destroyed");
  if ((*head)->epoch > epoch_) return error_of(task, ErrorCode::fenced, kTakenOver);
  return error_of(task, ErrorCode::corruption, "the object is gone");
}

/// Why this owner may change an object no more, if somebody else has it.
std::optional<Error> ObjectLog::find_successor(const Task& task, const ObjectView& view) const {
  // Of the head alone: a segment's name has it.
  const uint64_t life = attribute::number_of(view, attribute::kLife);
  if (life != 0 && life != life_) {
    return error_of(task, ErrorCode::fenced, "the log was destroyed, and another one was made");
  }
  if (attribute::number_of(view, attribute::kEpoch) > epoch_) {
    return error_of(task, ErrorCode::fenced, kTakenOver);
  }
  return std::nullopt;
}

/// Makes a change, and returns when it is known to be made. `is_done` says of an object whether it
/// was. An owner whose epoch is not the object's any more was fenced. Making it again is harmless
/// where its guards hold only as long as it was not made; so the late twin of one that was given up
/// comes to nothing.
Result<void> ObjectLog::make(const Task& task, const ObjectChange& change, const IsDone& is_done) {
  Deadline deadline = patience_from_now();
  std::chrono::microseconds pause = kShortestPause;
  while (true) {
    const auto answer = address_.store->change(task.object, change);
    if (!answer && answer.error().number == ESHUTDOWN) {
      return std::unexpected(
          error_of(task, ErrorCode::fenced, "the store has shut this client out"));
    }
    if (!answer && is_out_of_space(answer.error()) && waits_for_space(task)) {
      is_full_ = true;
      deadline = patience_from_now();
    } else if (!answer) {
      return std::unexpected(error_of(task, answer.error()));
    } else {
      if (task.waits_for_space) is_full_ = false;
      if (*answer == ObjectAnswer::done) return {};
      if (*answer == ObjectAnswer::missing && !change.removes) {
        return std::unexpected(error_of_missing(task));
      }
      auto known = find_out(task, *answer, change, is_done, deadline);
      if (!known) return std::unexpected(known.error());
      if (*known) return {};
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

/// What became of a change that was not made now: true if it was made before, false if nobody can
/// tell yet, or if it was not.
Result<bool> ObjectLog::find_out(const Task& task, ObjectAnswer answer, const ObjectChange& change,
                                 const IsDone& is_done, Deadline deadline) {
  if (answer == ObjectAnswer::missing) return true;  // What it was to remove.
  const auto view = look(task.object, 0, {}, deadline);
  const bool is_missing = !view && view.error().number == ENOENT;
  if (is_missing) return change.removes;
  if (!view) return std::unexpected(error_of(task, view.error()));
  if (auto fenced = find_successor(task, *view)) return std::unexpected(*fenced);
  if (is_done(*view)) return true;
  if (answer == ObjectAnswer::unknown) return false;
  return std::unexpected(
      error_of(task, ErrorCode::corruption, "the object is not what this owner made of it"));
}

}  // namespace writeahead::internal
