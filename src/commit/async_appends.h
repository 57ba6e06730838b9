// AsyncAppends: the appends of one frame that no thread waits for, with what is to be told them.
//
// It owns copies of their payloads, grows while its frame is open, and goes to Completions when
// the frame is done. Buffered appends are in it, too, and have nobody to tell.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "commit/pending_append.h"
#include "writeahead/append_async.h"
#include "writeahead/batch.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// Who is told what became of an append.
using CompletionTarget = std::variant<std::monostate, AppendCallback, BatchCallback>;

class AsyncAppends : public PendingAppend {
 public:
  AsyncAppends() : PendingAppend(Async{}) {}

  /// Adds one record and whom to tell. All or nothing, should memory run out.
  void add(std::span<const std::byte> payload, uint16_t type, uint64_t payload_hash,
           const Mark& mark, CompletionTarget& target);
  /// Adds the records of a batch.
  void add(const Batch& batch, const Mark& mark, CompletionTarget& target);
  /// Drops its records, which are there already: whoever was added is told that place.
  void become_repeat(const Appended& first);
  /// Adds no record, but somebody to be told of a refusal.
  void add_refused(CompletionTarget& target);
  /// Gives back the target that was added last.
  void take_back(CompletionTarget& target);

  struct Told {
    CompletionTarget target;
    Result<Appended> answer;
  };
  /// Takes the next one to be told, in the order of adding, with its answer. There has to be one.
  [[nodiscard]] Told take();
  /// Whether there is nobody left to be told.
  [[nodiscard]] bool is_told() const { return told_ == completions_.size(); }
  /// Forgets everything and keeps the memory.
  void clear();

  AsyncAppends* next_done = nullptr;  // in Completions, under its mutex

 private:
  struct Completion {
    uint64_t position;  // of its first record, from the first of all
    uint64_t bytes;     // of its records
    uint64_t index;     // of its first record among all
    CompletionTarget target;
    std::optional<Appended> first = std::nullopt;  // if it is a repeat: what is told
  };
  void reserve_target();
  void add_target(uint64_t position, uint64_t index, CompletionTarget& target);

  Batch batch_;
  std::vector<Completion> completions_;
  size_t told_ = 0;
};

}  // namespace writeahead::internal
