// KvStore: a durable key-value store: values in a write-ahead log, and an IdIndex in front of it.
//
// A value is written once, to the log, and read from there; in memory is what leads from each key
// to the record that has its newest value. Space is given back by compaction: what is still live in
// the oldest segments is appended again, and they are trimmed. So disk and memory go by what is
// stored, and not by how much was ever written.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>

#include "writeahead/index/id_index.h"
#include "writeahead/log.h"

namespace kv_store {

using writeahead::Result;

/// How a store is opened.
struct StoreOptions {
  writeahead::Options log = {.segment_bytes = 16 << 20};
  /// Compaction begins above so many segments, and twice as many records as there are keys.
  size_t least_segments = 4;
};

/// Any number of threads may call it.
class KvStore {
 public:
  [[nodiscard]] static Result<std::unique_ptr<KvStore>> open(const std::string& directory,
                                                             const StoreOptions& options = {});

  /// Durable on return, and seen by every get() from then on.
  [[nodiscard]] Result<void> put(std::string_view key, std::string_view value);
  /// The same. A key that is not there may be erased.
  [[nodiscard]] Result<void> erase(std::string_view key);
  /// Nothing if there is no such key.
  [[nodiscard]] Result<std::optional<std::string>> get(std::string_view key) const;
  [[nodiscard]] uint64_t keys() const { return index_->stats().entries; }

  /// Moves what is live out of the oldest segment to the end and gives the segment up, until half
  /// of the log's records are live. Puts go on meanwhile. A crash in between leaves some values
  /// twice, of which the newer record counts.
  [[nodiscard]] Result<void> compact();
  /// Whether compact() has something to do.
  [[nodiscard]] bool wants_compaction() const;

  /// Writes a snapshot of the index, so that the next opening is quick, and closes the log.
  [[nodiscard]] Result<void> close();

 private:
  using Index = writeahead::index::IdIndex<std::string>;

  KvStore(writeahead::Log log, const StoreOptions& options)
      : log_(std::move(log)), options_(options) {}
  [[nodiscard]] Result<void> append(uint16_t type, std::string_view key, std::string_view value);
  [[nodiscard]] Result<void> move_live_records(writeahead::Lsn border);
  [[nodiscard]] Result<void> move(std::span<const writeahead::RecordView> records);

  writeahead::Log log_;
  const StoreOptions options_;
  // Writers share it; who moves a record to the end has it alone, so that the record is not put
  // behind a newer one of its key.
  std::shared_mutex writing_;
  std::mutex compacting_;
  std::unique_ptr<Index> index_;  // last, so that it ends before its log
};

}  // namespace kv_store
