// TagLogState: records of slow tags that are appended once more, so that the log in front of them
// can be trimmed.
#include <algorithm>

#include "index_error.h"
#include "tag_log_state.h"

namespace writeahead::index::internal {
namespace {

// So many records share a barrier, and so many bytes.
constexpr size_t kMovesAtOnce = 256;
constexpr uint64_t kBytesAtOnce = 1 << 20;

}  // namespace

/// Some of the tag's records that lie below `limit`, in the order in which TagState takes them in.
Result<std::vector<TaggedRecord>> TagLogState::read_due(Tag tag, Lsn limit) const {
  std::vector<TagPlace> due;
  auto copied = contents_.copy_due(tag, limit, kMovesAtOnce, due);
  if (!copied) return std::unexpected(copied.error());
  // A version that may be cut yet has to be where the chain knows it.
  const uint64_t committed = contents_.chain().known_committed_version;
  std::vector<TaggedRecord> records;
  uint64_t bytes = 0;
  for (const TagPlace& place : due) {
    auto record = read(place);
    if (!record && record.error().code() == ErrorCode::trimmed) continue;  // Popped meanwhile.
    if (!record) return std::unexpected(record.error());
    if (record->version > committed || bytes >= kBytesAtOnce) break;
    bytes += record->payload.size();
    records.push_back(std::move(*record));
  }
  return records;
}

/// Appends them again, but those that were popped: the record of a pop has to lie behind all
/// copies of what it popped, or these come back once it is trimmed.
Result<void> TagLogState::append_again(Tag tag, std::span<const TaggedRecord> records,
                                       std::vector<MovedRecord>& moved) {
  const std::lock_guard lock(pops_mutex_);
  if (auto synced = log_.sync(); !synced) return synced;
  if (auto advanced = advance(); !advanced) return advanced;
  const Lsn popped = contents_.popped(tag);
  for (const TaggedRecord& record : records) {
    if (record.lsn < popped) continue;
    const auto at =
        log_.append(encode_moved({.tag = tag, .lsn = record.lsn}, record.version, record.payload),
                    {.type = record.type, .durability = Durability::buffered});
    if (!at) return std::unexpected(at.error());
    moved.push_back({.lsn = record.lsn, .at = *at});
  }
  return {};
}

/// False if nothing is left to be moved.
Result<bool> TagLogState::move_some(Tag tag, Lsn limit, std::vector<MovedRecord>& moved) {
  // A record that somebody else trimmed would be in the way of those behind it for ever.
  contents_.sweep_some(log_.first_lsn());
  const auto records = read_due(tag, limit);
  if (!records) return std::unexpected(records.error());
  if (records->empty()) return false;
  if (auto done = append_again(tag, *records, moved); !done) return std::unexpected(done.error());
  // CRASH: until the copies are durable nothing in front of the records is trimmed.
  if (auto synced = log_.sync(); !synced) return std::unexpected(synced.error());
  if (auto advanced = advance(); !advanced) return std::unexpected(advanced.error());
  return true;
}

Result<std::vector<MovedRecord>> TagLogState::move_forward(Tag tag, Lsn below) {
  const std::lock_guard lock(moving_mutex_);
  if (auto advanced = advance(); !advanced) return std::unexpected(advanced.error());
  const Lsn limit = std::min(below, log_.durable_lsn());
  std::vector<MovedRecord> moved;
  for (;;) {
    const auto has_moved = move_some(tag, limit, moved);
    if (!has_moved) return std::unexpected(has_moved.error());
    // Each time, so that moving many takes no more space than moving some.
    if (auto trimmed = trim(); !trimmed) return std::unexpected(trimmed.error());
    if (!*has_moved) return moved;
  }
}

/// What the background does: of the tag that keeps most, some records, for as many bytes as were
/// appended meanwhile. So moves are half of what is written at most, and end where nobody appends.
Result<bool> TagLogState::move_slowest() {
  if (options_.slow_tag_bytes == 0) return false;
  const std::lock_guard lock(moving_mutex_);
  const Lsn end = log_.durable_lsn();
  // No more is saved up than what a tag may keep.
  const auto most = static_cast<int64_t>(options_.slow_tag_bytes);
  moves_budget_ = std::min(moves_budget_ + static_cast<int64_t>(end - moves_counted_to_), most);
  moves_counted_to_ = end;
  const auto needed = contents_.first_needed();
  if (!needed || end <= needed->lsn || end - needed->lsn <= options_.slow_tag_bytes) return false;
  const Lsn limit = needed->lsn + (end - needed->lsn - options_.slow_tag_bytes);
  if (moves_budget_ < std::min(static_cast<int64_t>(kBytesAtOnce), most)) return false;
  std::vector<MovedRecord> moved;
  const auto has_moved = move_some(needed->tag, limit, moved);
  // Whether it went well or not: what was written is nobody else's.
  moves_counted_to_ = log_.durable_lsn();
  moves_budget_ -= static_cast<int64_t>(moves_counted_to_ - end);
  if (!has_moved) return has_moved;
  if (auto trimmed = trim(); !trimmed) return std::unexpected(trimmed.error());
  return *has_moved;
}

}  // namespace writeahead::index::internal
