// Moving, popping and looking up the records of a tag.
#include "tag_state.h"

#include <algorithm>
#include <utility>

#include "writeahead/index/id_codec.h"

namespace writeahead::index::internal {
namespace {

void append_word(uint64_t word, std::vector<std::byte>& out) {
  IdCodec<uint64_t>::append(word, out);
}

bool has_front(const LsnQueue& queue, Lsn lsn) { return !queue.is_empty() && queue.front() == lsn; }

}  // namespace

uint64_t TagState::size() const {
  return records_.size() + (moved_ ? moved_->fresh.lsns.size() + moved_->old.lsns.size() : 0);
}

bool TagState::is_whole() const {
  const auto is_pair = [](const Run& run) { return run.lsns.size() == run.places.size(); };
  return !moved_ || (is_pair(moved_->fresh) && is_pair(moved_->old));
}

uint64_t TagState::heap_bytes() const {
  uint64_t bytes = records_.heap_bytes();
  if (!moved_) return bytes;
  bytes += sizeof(Moved);
  for (const Run* run : {&moved_->fresh, &moved_->old}) {
    bytes += run->lsns.heap_bytes() + run->places.heap_bytes();
  }
  return bytes;
}

std::optional<Lsn> TagState::first_needed() const {
  std::optional<Lsn> first;
  const auto look_at = [&](const LsnQueue& places) {
    if (!places.is_empty() && (!first || places.front() < *first)) first = places.front();
  };
  look_at(records_);
  if (moved_) {
    look_at(moved_->fresh.places);
    look_at(moved_->old.places);
  }
  return first;
}

bool TagState::has_from(Lsn from) const {
  if (!records_.is_empty()) return records_.back() >= from;
  return moved_ && moved_->old.lsns.back() >= from;
}

/// Keeps the order of the runs: behind each change of one of them.
void TagState::settle() {
  if (!moved_) return;
  if (moved_->old.lsns.is_empty()) std::swap(moved_->old, moved_->fresh);
  if (moved_->old.lsns.is_empty()) moved_.reset();
}

void TagState::push(Lsn lsn) {
  if (lsn >= popped_) records_.push(lsn);
}

/// Both or none, should memory run out.
void TagState::add(Run& run, Lsn lsn, Lsn at) {
  run.lsns.make_room();
  run.places.make_room();
  run.lsns.push(lsn);
  run.places.push(at);
}

Result<void> TagState::move(Lsn lsn, Lsn at, const SpillFile* spill) {
  if (lsn < popped_) return {};
  const bool is_first_move = has_front(records_, lsn);
  if (!is_first_move && !records_.is_empty() && lsn > records_.front()) return {};
  if (!moved_) moved_ = std::make_unique<Moved>();
  auto& [fresh, old] = *moved_;
  const bool is_behind_old = old.lsns.is_empty() || lsn > old.lsns.back();
  const bool is_behind_fresh = fresh.lsns.is_empty() || lsn > fresh.lsns.back();
  Result<void> dropped;
  if (is_behind_old) {
    add(old, lsn, at);
    if (is_first_move) dropped = records_.drop_below(lsn + 1, spill);
  } else if (is_behind_fresh && lsn <= old.lsns.front() && at > old.places.back()) {
    add(fresh, lsn, at);
    if (has_front(old.lsns, lsn)) dropped = drop_below(old, lsn + 1, spill);
  }
  if (dropped) settle();
  return dropped;
}

Result<void> TagState::pop(Lsn up_to, const SpillFile* spill) {
  if (up_to <= popped_) return {};
  if (moved_) {
    if (auto dropped = drop_below(moved_->fresh, up_to, spill); !dropped) return dropped;
    if (auto dropped = drop_below(moved_->old, up_to, spill); !dropped) return dropped;
    settle();
  }
  if (auto dropped = records_.drop_below(up_to, spill); !dropped) return dropped;
  popped_ = up_to;
  return {};
}

Result<void> TagState::cut(Lsn lsn, const SpillFile* spill) {
  return records_.drop_from(lsn, spill);
}

Result<void> TagState::drop_lost(Lsn first, const SpillFile* spill) {
  if (moved_) {
    if (auto dropped = drop_lost(moved_->fresh, first, spill); !dropped) return dropped;
    if (auto dropped = drop_lost(moved_->old, first, spill); !dropped) return dropped;
    settle();
  }
  return records_.drop_below(first, spill);
}

Result<void> TagState::drop_below(Run& run, Lsn lsn, const SpillFile* spill) {
  return drop_first(run, run.lsns.rank(lsn, spill), spill);
}

Result<void> TagState::drop_lost(Run& run, Lsn first, const SpillFile* spill) {
  return drop_first(run, run.places.rank(first, spill), spill);
}

/// Both or none, unless one of them has to look into what was spilled.
Result<void> TagState::drop_first(Run& run, const Result<uint64_t>& count, const SpillFile* spill) {
  if (!count) return std::unexpected(count.error());
  const auto lsn = run.lsns.border_behind(*count, spill);
  if (!lsn) return std::unexpected(lsn.error());
  const auto place = run.places.border_behind(*count, spill);
  if (!place) return std::unexpected(place.error());
  if (auto dropped = run.places.drop_below(*place, spill); !dropped) return dropped;
  return run.lsns.drop_below(*lsn, spill);
}

Result<void> TagState::copy_run(const Run& run, uint64_t rank, size_t most, const SpillFile* spill,
                                std::vector<TagPlace>& out) {
  std::vector<Lsn> lsns;
  std::vector<Lsn> places;
  if (auto copied = run.lsns.copy_range(rank, most, spill, lsns); !copied) return copied;
  if (auto copied = run.places.copy_range(rank, most, spill, places); !copied) return copied;
  for (size_t i = 0; i < lsns.size(); ++i) out.push_back({.lsn = lsns[i], .at = places[i]});
  return {};
}

Result<void> TagState::copy_from(Lsn from, size_t most, const SpillFile* spill,
                                 std::vector<TagPlace>& out) const {
  const size_t end = out.size() + most;
  if (moved_) {
    for (const Run* run : {&moved_->fresh, &moved_->old}) {
      const auto rank = run->lsns.rank(from, spill);
      if (!rank) return std::unexpected(rank.error());
      if (auto copied = copy_run(*run, *rank, end - out.size(), spill, out); !copied) return copied;
    }
  }
  if (out.size() == end) return {};
  std::vector<Lsn> lsns;
  if (auto copied = records_.copy_from(from, end - out.size(), spill, lsns); !copied) return copied;
  for (const Lsn lsn : lsns) out.push_back({.lsn = lsn, .at = lsn});
  return {};
}

Result<void> TagState::copy_due(Lsn limit, size_t most, const SpillFile* spill,
                                std::vector<TagPlace>& out) const {
  const auto needed = first_needed();
  if (!needed || *needed >= limit) return {};
  const bool is_again =
      moved_ && (!moved_->fresh.lsns.is_empty() || moved_->old.places.front() < limit);
  if (is_again) return copy_run(moved_->old, 0, most, spill, out);
  std::vector<Lsn> lsns;
  if (auto copied = records_.copy_from(Lsn(), most, spill, lsns); !copied) return copied;
  for (const Lsn lsn : lsns) {
    if (lsn < limit) out.push_back({.lsn = lsn, .at = lsn});
  }
  return {};
}

Result<uint64_t> TagState::spill(SpillFile& file) {
  const uint64_t before = heap_bytes();
  std::vector<LsnQueue*> queues{&records_};
  if (moved_) {
    for (Run* run : {&moved_->fresh, &moved_->old}) {
      queues.push_back(&run->lsns);
      queues.push_back(&run->places);
    }
  }
  for (LsnQueue* queue : queues) {
    if (auto spilled = queue->spill(file); !spilled) return spilled;
  }
  return before - heap_bytes();
}

/// Up to where it was popped; the number of fresh ones, and of each its address and place; the same
/// of the old ones; the number of those that were never moved, and the address of each.
Result<void> TagState::dump(Lsn first, const SpillFile* spill, std::vector<std::byte>& out) const {
  append_word(popped_.value(), out);
  const Moved none;
  const Moved& moved = moved_ ? *moved_ : none;
  std::vector<TagPlace> pairs;
  for (const Run* run : {&moved.fresh, &moved.old}) {
    pairs.clear();
    if (auto copied = copy_run(*run, 0, SIZE_MAX, spill, pairs); !copied) return copied;
    append_word(pairs.size(), out);
    for (const TagPlace& pair : pairs) {
      append_word(pair.lsn.value(), out);
      append_word(pair.at.value(), out);
    }
  }
  std::vector<Lsn> lsns;
  if (auto copied = records_.copy_from(first, SIZE_MAX, spill, lsns); !copied) return copied;
  append_word(lsns.size(), out);
  for (const Lsn lsn : lsns) append_word(lsn.value(), out);
  return {};
}

bool TagState::load_run(std::span<const std::byte>& bytes, Run& run) {
  const auto count = IdCodec<uint64_t>::take(bytes);
  for (uint64_t i = 0; i < count.value_or(0); ++i) {
    const auto lsn = IdCodec<uint64_t>::take(bytes);
    const auto at = IdCodec<uint64_t>::take(bytes);
    if (!lsn || !at) return false;
    run.lsns.push(Lsn(*lsn));
    run.places.push(Lsn(*at));
  }
  return count && run.lsns.size() == *count && run.places.size() == *count;
}

bool TagState::load(std::span<const std::byte>& bytes) {
  const auto popped = IdCodec<uint64_t>::take(bytes);
  auto moved = std::make_unique<Moved>();
  if (!popped || !load_run(bytes, moved->fresh) || !load_run(bytes, moved->old)) return false;
  popped_ = Lsn(*popped);
  moved_ = std::move(moved);
  settle();
  const auto count = IdCodec<uint64_t>::take(bytes);
  for (uint64_t i = 0; i < count.value_or(0); ++i) {
    const auto lsn = IdCodec<uint64_t>::take(bytes);
    if (!lsn) return false;
    records_.push(Lsn(*lsn));
  }
  return count.has_value();
}

}  // namespace writeahead::index::internal
