// ObjectLog: the objects of one log, and the guarded changes that are made to them.
//
// Each change names the epoch of its owner, so that an owner who was fenced changes nothing any
// more. One whose answer was lost is looked for before it is made again: a change is made once, or
// its owner is told that nobody knows.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "format/root_slot.h"
#include "writeahead/lsn.h"
#include "writeahead/object_store.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// What the head says.
struct LogHead {
  uint64_t life = 0;          ///< A random number of its own for each log that is made.
  bool is_destroyed = false;  ///< What is left of it has to go.
  uint64_t epoch = 0;         ///< Of the newest owner.
  uint64_t active = 0;        ///< Number of the segment that is appended to; 0 if there is none.
  uint64_t removed = 1;       ///< The segments below are gone.
  DecodedRootSlot root;       ///< `zero` until the log was opened for the first time.
};

/// What the object of a segment says.
struct SegmentObject {
  uint64_t length = 0;    ///< Everything below was appended; nothing stands behind.
  uint64_t capacity = 0;  ///< Frames and seal stay below it.
  Lsn base_lsn;
};

/// Which logs are taken over.
struct TakeOver {
  bool may_create = true;    ///< Makes one if there is none; else that is `not_found`.
  bool must_create = false;  ///< One that was opened before is `invalid_argument`.
  bool is_to_go = false;     ///< It will be destroyed, and may lack its last segment.
  uint64_t least_epoch = 0;  ///< The new owner's is not below: segments may come with theirs.
};

class ObjectLog {
 public:
  ObjectLog(ObjectAddress address, std::string path)
      : address_(std::move(address)), path_(std::move(path)) {}

  /// As it was opened.
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string segment_path(uint64_t number) const;
  /// Of its object.
  [[nodiscard]] std::string segment_name(uint64_t number) const;
  /// Of the owner that this is; 0 for somebody who only reads.
  [[nodiscard]] uint64_t epoch() const { return epoch_; }
  /// Number of its newest segment, for an owner.
  [[nodiscard]] uint64_t active() const { return active_; }

  /// Nothing if there is no log, or another one than at the first call. `unsupported_format` if the
  /// object is of another version, or of another program.
  [[nodiscard]] Result<std::optional<LogHead>> read_head();
  /// Takes the log over from whoever owned it, and from the segment that is appended to, so that it
  /// ends where it ends now.
  /// `fenced` if somebody else took it over in the middle of that.
  [[nodiscard]] Result<LogHead> take_over(const TakeOver& wish, std::string_view owner);
  /// Replaces the root.
  [[nodiscard]] Result<void> write_root(std::span<const std::byte> slot, uint64_t sequence,
                                        uint64_t removed);
  /// Before anything but its header is in it.
  [[nodiscard]] Result<void> set_active(uint64_t number);

  /// Nothing if there is no such segment. `head` gets its first bytes, with zeros behind its end.
  [[nodiscard]] Result<std::optional<SegmentObject>> find_segment(uint64_t number,
                                                                  std::span<std::byte> head = {});
  /// Makes a segment that holds its header. What another owner made, and never came to use, is
  /// replaced.
  [[nodiscard]] Result<void> create_segment(uint64_t number, std::span<const std::byte> header,
                                            const SegmentObject& segment);
  /// Appends to a segment that is `length` bytes long. In the newest segment it waits for as long
  /// as the store is full; else `no_space` says that nothing was changed.
  [[nodiscard]] Result<void> append(uint64_t number, uint64_t length,
                                    std::span<const std::byte> bytes);
  /// Reads all of `out`; what stands behind the end of the segment is zero.
  [[nodiscard]] Result<void> read(uint64_t number, uint64_t offset, std::span<std::byte> out);
  [[nodiscard]] Result<void> remove(uint64_t number);
  /// Why a segment that this owner has not given up is not there: `fenced` if another one may have
  /// trimmed it, else `corruption`.
  [[nodiscard]] Error missing_segment(uint64_t number);
  /// Removes the log, which was taken over and looked so. From its first change on there is no log;
  /// what a crash leaves behind that, the next one to take it over removes.
  [[nodiscard]] Result<void> destroy(const LogHead& head);

  /// Whether an append waits for space in a full store.
  [[nodiscard]] bool is_full() const { return is_full_.load(std::memory_order_relaxed); }
  /// It fails from now on.
  void stop_waiting_for_space() { waits_for_space_.store(false); }

  void notify() { address_.store->notify(head_name()); }
  [[nodiscard]] std::unique_ptr<ObjectWatch> watch(std::function<void()> on_change) {
    return address_.store->watch(head_name(), std::move(on_change));
  }

 private:
  /// What is being done, for messages.
  struct Task {
    std::string_view action;
    std::string object;
    std::string path;
    std::optional<uint64_t> offset = {};
    bool waits_for_space = false;
  };
  using IsDone = std::function<bool(const ObjectView&)>;
  using Deadline = std::chrono::steady_clock::time_point;
  [[nodiscard]] Deadline patience_from_now() const;
  [[nodiscard]] ObjectChange change_of_head() const;
  [[nodiscard]] std::string head_name() const { return address_.name + ".head"; }
  [[nodiscard]] Result<std::optional<LogHead>> read_any_head();
  [[nodiscard]] Result<void> remove_what_is_left(const LogHead& head);
  [[nodiscard]] SystemResult<ObjectView> look(const std::string& object, uint64_t offset,
                                              std::span<std::byte> out, Deadline deadline);
  [[nodiscard]] Result<void> make(const Task& task, const ObjectChange& change,
                                  const IsDone& is_done);
  [[nodiscard]] Result<bool> find_out(const Task& task, ObjectAnswer answer,
                                      const ObjectChange& change, const IsDone& is_done,
                                      Deadline deadline);
  [[nodiscard]] bool waits_for_space(const Task& task) const;
  /// Of what is to be removed: as long as there is something to look at it was not.
  [[nodiscard]] static bool is_removed(const ObjectView&) { return false; }
  [[nodiscard]] static Error error_of(const Task& task, SystemError error);
  [[nodiscard]] static Error error_of(const Task& task, ErrorCode code, std::string_view cause);
  [[nodiscard]] Error error_of_missing(const Task& task);
  [[nodiscard]] std::optional<Error> find_successor(const Task& task, const ObjectView& view) const;
  [[nodiscard]] Result<std::optional<LogHead>> try_take_over(const TakeOver& wish,
                                                             std::string_view owner);
  [[nodiscard]] Result<bool> raise_epoch(const std::optional<LogHead>& head, std::string_view owner,
                                         const TakeOver& wish);
  [[nodiscard]] Result<void> fence_segment(uint64_t number);

  static constexpr std::string_view kTakenOver = "another writer has taken the log over";

  const ObjectAddress address_;
  const std::string path_;
  uint64_t epoch_ = 0;
  std::atomic<uint64_t> life_ = 0;  // of the log; 0 until it was seen
  std::atomic<uint64_t> active_ = 0;
  std::atomic<bool> is_full_ = false;
  std::atomic<bool> waits_for_space_ = true;
};

}  // namespace writeahead::internal
