// The store's records, and how they come and go.
#include "kv_store.h"

#include <algorithm>
#include <expected>
#include <utility>
#include <vector>

namespace kv_store {

namespace {

using writeahead::ErrorCode;
using writeahead::Log;
using writeahead::Lsn;
using writeahead::RecordView;

constexpr uint16_t kPut = 1;
constexpr uint16_t kErase = 2;

// A record is the key's length in eight digits, the key, and the value.
constexpr size_t kLengthDigits = 8;
constexpr size_t kMostKeyBytes = 99'999'999;

std::string encode(std::string_view key, std::string_view value) {
  std::string text = std::to_string(key.size());
  text.insert(0, kLengthDigits - text.size(), '0');
  return text.append(key).append(value);
}

std::string_view text_of(const RecordView& record) {
  return {reinterpret_cast<const char*>(record.payload.data()), record.payload.size()};
}
size_t key_bytes(std::string_view text) {
  size_t bytes = 0;
  for (const char digit : text.substr(0, kLengthDigits)) {
    bytes = 10 * bytes + static_cast<size_t>(digit - '0');
  }
  return bytes;
}
std::string key_of(const RecordView& record) {
  const std::string_view text = text_of(record);
  return std::string(text.substr(kLengthDigits, key_bytes(text)));
}
std::string value_of(const RecordView& record) {
  const std::string_view text = text_of(record);
  return std::string(text.substr(kLengthDigits + key_bytes(text)));
}

void extract(const RecordView& record, writeahead::index::IdEdits<std::string>& edits) {
  if (record.type == kPut) edits.put(key_of(record));
  if (record.type == kErase) edits.erase(key_of(record));
}

}  // namespace

Result<std::unique_ptr<KvStore>> KvStore::open(const std::string& directory,
                                               const StoreOptions& options) {
  auto log = Log::open(directory, options.log);
  if (!log) return std::unexpected(log.error());
  std::unique_ptr<KvStore> store(new KvStore(std::move(*log), options));
  auto index =
      Index::open(store->log_, extract, {.name = "keys", .background = options.log.background});
  if (!index) return std::unexpected(index.error());
  store->index_ = std::move(*index);
  return store;
}

Result<void> KvStore::append(uint16_t type, std::string_view key, std::string_view value) {
  if (key.size() > kMostKeyBytes) {
    return std::unexpected(writeahead::Error(ErrorCode::too_large, "put: the key is too long"));
  }
  const std::shared_lock lock(writing_);
  const auto lsn = log_.append(encode(key, value), {.type = type});
  if (!lsn) return std::unexpected(lsn.error());
  return index_->advance_to(*lsn);
}

Result<void> KvStore::put(std::string_view key, std::string_view value) {
  return append(kPut, key, value);
}

Result<void> KvStore::erase(std::string_view key) { return append(kErase, key, {}); }

Result<std::optional<std::string>> KvStore::get(std::string_view key) const {
  for (;;) {
    const auto lsn = index_->find(std::string(key));
    if (!lsn) return std::nullopt;
    // The address came from the index, so the record may be read alone.
    const auto record = log_.read(*lsn, {.record_alone = true});
    if (record) return value_of(*record);
    // Moved by a compaction between the two: the index knows where to by now.
    if (record.error().code() != ErrorCode::trimmed) return std::unexpected(record.error());
  }
}

bool KvStore::wants_compaction() const {
  const auto segments = log_.segments();
  uint64_t records = 0;
  for (const auto& segment : segments) records += segment.records;
  return segments.size() > options_.least_segments && records > 2 * keys();
}

Result<void> KvStore::compact() {
  const std::lock_guard lock(compacting_);
  // Once around at most: what was moved is at the end, and is all live.
  for (size_t rounds = log_.segments().size(); rounds > 0 && wants_compaction(); --rounds) {
    const Lsn border = log_.segments()[1].base_lsn;
    if (auto moved = move_live_records(border); !moved) return moved;
    if (auto trimmed = log_.trim_before(border); !trimmed) return trimmed;
  }
  return {};
}

Result<void> KvStore::move_live_records(Lsn border) {
  constexpr size_t kAtOnce = 100;
  std::vector<RecordView> live;
  for (auto& record : log_.reader(log_.first_lsn())) {
    if (!record) return std::unexpected(record.error());
    if (record->lsn >= border) break;
    // What an erasure erased lies below it, and goes along with it.
    if (record->type == kPut && index_->find(key_of(*record)) == record->lsn) {
      live.push_back(*record);
    }
    if (live.size() < kAtOnce) continue;
    if (auto moved = move(live); !moved) return moved;
    live.clear();
  }
  if (auto moved = move(live); !moved) return moved;
  if (auto synced = log_.sync(); !synced) return synced;
  return index_->advance();
}

/// No writer is at work meanwhile: what is still live goes behind all records of its key.
Result<void> KvStore::move(std::span<const RecordView> records) {
  const std::unique_lock lock(writing_);
  for (const RecordView& record : records) {
    if (index_->find(key_of(record)) != record.lsn) continue;
    const auto moved =
        log_.append(record.payload, {.type = kPut, .durability = writeahead::Durability::buffered});
    if (!moved) return std::unexpected(moved.error());
  }
  return {};
}

Result<void> KvStore::close() {
  if (auto closed = index_->close(); !closed) return closed;
  index_.reset();
  return log_.close();
}

}  // namespace kv_store
