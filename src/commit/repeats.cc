// Appends of producers: which of them is a repeat, and what a segment says of them at its head.
// An append counts from the moment on in which it has its place: two that are the same never get
// two.
#include <fmt/format.h>

#include "base/error.h"
#include "commit/committer.h"

namespace writeahead::internal {

/// What the append that this one repeats was answered; nothing if it is a new one.
Result<std::optional<Appended>> Committer::find_first(const Mark& mark) const {
  const ProducerEntry* const known = producers_.find(mark->producer);
  if (known == nullptr || mark->number > known->last.number) return std::nullopt;
  if (mark->number == known->last.number) return known->range;
  return std::unexpected(
      make_error(ErrorCode::repeated, "append",
                 fmt::format("producer {} is at number {} already, beyond {}", known->last.producer,
                             known->last.number, mark->number),
                 {.path = store_.path(), .lsn = known->range.first_lsn}));
}

/// Whether what ends there has that level now.
bool Committer::has_level(Lsn end_lsn, Durability level) const {
  if (level == Durability::durable) return end_lsn <= durable_lsn();
  return level == Durability::buffered || end_lsn <= written_lsn_;
}

/// Of the producer table of the next frame: the first one of a segment has it.
uint64_t Committer::table_bytes(const SegmentPlace& place) const {
  return place.is_numbered && next_lsn_ == place.base_lsn ? producers_.table_bytes() : 0;
}

/// An append that has its place now, or a repeat of one.
void Committer::remember(const Mark& mark, const Appended& range) {
  if (!mark) return;
  const ProducerEntry* const known = producers_.find(mark->producer);
  if (known == nullptr || known->last != *mark) producers_.note({.last = *mark, .range = range});
}

void Committer::forget_producers_below(Lsn lsn) {
  MutexLock lock(mutex_);
  producers_.forget_below(lsn);
}

Lsn Committer::producers_end() const {
  MutexLock lock(mutex_);
  return producers_.end_lsn();
}

}  // namespace writeahead::internal
