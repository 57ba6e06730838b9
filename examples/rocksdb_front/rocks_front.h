// RocksFront: RocksDB with a write-ahead log of another make in front, and its own switched off.
//
// A batch is appended to the log, and goes into RocksDB's memory once it is durable, in the order
// of the log. With it goes the address of its record: so what RocksDB has on disk says up to where
// the log is needed no more. After a crash the records behind that are put in again.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <string>
#include <string_view>
#include <vector>

#include "writeahead/log.h"

namespace rocksdb_front {

using writeahead::Lsn;
using writeahead::Result;

struct FrontOptions {
  writeahead::Options log;
  size_t memtable_bytes = 64 << 20;
};

/// Any number of threads may call it.
class RocksFront {
 public:
  /// Opens both below `directory`, and puts into RocksDB what its last flush did not have.
  [[nodiscard]] static Result<std::unique_ptr<RocksFront>> open(const std::string& directory,
                                                                const FrontOptions& options = {});
  ~RocksFront();

  [[nodiscard]] Result<void> put(std::string_view key, std::string_view value);
  [[nodiscard]] Result<void> erase(std::string_view key);
  /// All of the batch, or after a crash nothing. Durable and to be seen on return. Adds a key of
  /// this class to the batch (kPositionKey), which is not for the caller.
  [[nodiscard]] Result<void> write(rocksdb::WriteBatch& batch);
  [[nodiscard]] Result<std::optional<std::string>> get(std::string_view key) const;

  /// Has RocksDB flush its memory, and gives up what the log holds below.
  [[nodiscard]] Result<void> flush();
  /// Gives up what RocksDB has flushed of itself; cheap.
  [[nodiscard]] Result<void> trim();
  /// Records that were put in again by open().
  [[nodiscard]] uint64_t replayed() const { return replayed_; }
  [[nodiscard]] const writeahead::Log& log() const { return log_; }
  [[nodiscard]] Result<void> close();

 private:
  /// A thread in write().
  struct Writer {
    rocksdb::WriteBatch* batch = nullptr;
    std::binary_semaphore wakes{0};  // for its batch is in, or to write for all
    bool is_done = false;
    Result<void> result;
  };

  RocksFront(writeahead::Log log, std::unique_ptr<rocksdb::DB> db, const FrontOptions& options)
      : max_batch_bytes_(options.log.max_record_bytes), log_(std::move(log)), db_(std::move(db)) {}
  [[nodiscard]] Result<Lsn> position(rocksdb::ReadTier tier) const;
  [[nodiscard]] Result<void> replay();
  [[nodiscard]] Result<writeahead::Appended> append(const std::vector<Writer*>& group,
                                                    writeahead::Batch& records);
  [[nodiscard]] Result<void> write_group(const std::vector<Writer*>& group);
  [[nodiscard]] Result<void> apply(rocksdb::WriteBatch& batch, Lsn lsn);

  const uint64_t max_batch_bytes_;
  writeahead::Log log_;
  std::unique_ptr<rocksdb::DB> db_;
  std::mutex apply_mutex_;                    // of what goes into RocksDB
  std::optional<writeahead::Error> failure_;  // of it; nothing is acknowledged after that
  std::mutex mutex_;                          // last
  std::vector<Writer*> writers_;              // that wait; the first one leads if nobody does
  bool has_leader_ = false;
  uint64_t replayed_ = 0;
};

}  // namespace rocksdb_front
