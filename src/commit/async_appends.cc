// Growing, and telling.
// Room for the target comes first: what follows may fail, and then nothing was added.
#include "commit/async_appends.h"

#include <utility>

namespace writeahead::internal {

void AsyncAppends::reserve_target() {
  if (completions_.size() == completions_.capacity()) {
    completions_.reserve(2 * completions_.size() + 16);
  }
}

void AsyncAppends::add(std::span<const std::byte> payload, uint16_t type, uint64_t payload_hash,
                       const Mark& mark, CompletionTarget& target) {
  reserve_target();
  const uint64_t position = batch_.encoded_bytes();
  const uint64_t index = batch_.size();
  BatchAccess::add(batch_, payload, type, payload_hash, mark);
  set_batch(batch_, payload_bytes() + payload.size());
  add_target(position, index, target);
}

void AsyncAppends::add(const Batch& batch, const Mark& mark, CompletionTarget& target) {
  reserve_target();
  const uint64_t position = batch_.encoded_bytes();
  const uint64_t index = batch_.size();
  BatchAccess::add(batch_, batch, mark);
  set_batch(batch_, payload_bytes() + BatchAccess::payload_bytes(batch));
  add_target(position, index, target);
}

void AsyncAppends::become_repeat(const Appended& first) {
  batch_.clear();
  set_batch(batch_, 0);
  for (Completion& completion : completions_) completion.first = first;
}

void AsyncAppends::add_refused(CompletionTarget& target) {
  reserve_target();
  add_target(0, 0, target);
}

void AsyncAppends::add_target(uint64_t position, uint64_t index, CompletionTarget& target) {
  if (std::holds_alternative<std::monostate>(target)) return;
  completions_.push_back({.position = position,
                          .bytes = batch_.encoded_bytes() - position,
                          .index = index,
                          .target = std::move(target)});
}

void AsyncAppends::take_back(CompletionTarget& target) {
  if (completions_.empty()) return;
  target = std::move(completions_.back().target);
  completions_.pop_back();
}

AsyncAppends::Told AsyncAppends::take() {
  Completion& completion = completions_[told_++];
  if (error) return {.target = std::move(completion.target), .answer = std::unexpected(*error)};
  if (completion.first)
    return {.target = std::move(completion.target), .answer = *completion.first};
  const Lsn first = range.first_lsn + completion.position;
  return {.target = std::move(completion.target),
          .answer = Appended{.first_lsn = first,
                             .end_lsn = first + completion.bytes,
                             .first_ordinal = range.first_ordinal + completion.index}};
}

void AsyncAppends::clear() {
  batch_.clear();
  set_batch(batch_, 0);
  completions_.clear();
  told_ = 0;
  error.reset();
  next = nullptr;
  next_done = nullptr;
}

}  // namespace writeahead::internal
