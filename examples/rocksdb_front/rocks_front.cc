// Writing, replaying and trimming.
#include "rocks_front.h"

#include <rocksdb/options.h>

#include <charconv>
#include <expected>
#include <filesystem>
#include <new>
#include <utility>

namespace rocksdb_front {

namespace {

using writeahead::Error;
using writeahead::ErrorCode;
using writeahead::Log;

// Holds the address of the last record that is in RocksDB.
constexpr const char* kPositionKey = "\xff\xffwriteahead position";

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }

Result<void> checked(const rocksdb::Status& status, std::string_view action) {
  if (status.ok()) return {};
  return std::unexpected(Error(status.IsCorruption() ? ErrorCode::corruption : ErrorCode::io,
                               std::string(action) + ": " + status.ToString()));
}

rocksdb::WriteOptions without_wal() {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return options;
}

}  // namespace

Result<std::unique_ptr<RocksFront>> RocksFront::open(const std::string& directory,
                                                     const FrontOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  auto log = Log::open(directory + "/log", options.log);
  if (!log) return std::unexpected(log.error());
  rocksdb::Options rocks;
  rocks.create_if_missing = true;
  rocks.write_buffer_size = options.memtable_bytes;
  rocks.avoid_flush_during_shutdown = true;  // What is not flushed is in the log.
  rocksdb::DB* opened = nullptr;
  if (auto done =
          checked(rocksdb::DB::Open(rocks, directory + "/rocksdb", &opened), "open RocksDB");
      !done) {
    return std::unexpected(done.error());
  }
  std::unique_ptr<RocksFront> front(
      new RocksFront(std::move(*log), std::unique_ptr<rocksdb::DB>(opened), options));
  if (auto replayed = front->replay(); !replayed) return std::unexpected(replayed.error());
  return front;
}

RocksFront::~RocksFront() = default;

/// Of all that RocksDB has, or of what it has flushed.
Result<Lsn> RocksFront::position(rocksdb::ReadTier tier) const {
  rocksdb::ReadOptions options;
  options.read_tier = tier;
  std::string text;
  const rocksdb::Status status = db_->Get(options, kPositionKey, &text);
  if (status.IsNotFound()) return Lsn();
  if (auto done = checked(status, "read the position"); !done) return std::unexpected(done.error());
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return Lsn(value);
}

Result<void> RocksFront::replay() {
  const auto last = position(rocksdb::kReadAllTier);
  if (!last) return std::unexpected(last.error());
  for (auto& record : log_.reader(std::max(*last, log_.first_lsn()))) {
    if (!record) return std::unexpected(record.error());
    if (record->lsn == *last) continue;  // Trims leave it, since the next one is found by it.
    const auto* const bytes = reinterpret_cast<const char*>(record->payload.data());
    rocksdb::WriteBatch batch(std::string(bytes, record->payload.size()));
    if (auto applied = apply(batch, record->lsn); !applied) return applied;
    ++replayed_;
  }
  return {};
}

/// With the address, which is in RocksDB if and only if the batch is.
Result<void> RocksFront::apply(rocksdb::WriteBatch& batch, Lsn lsn) {
  const auto added = checked(batch.Put(kPositionKey, std::to_string(lsn.value())), "write");
  if (!added) return added;
  return checked(db_->Write(without_wal(), &batch), "write");
}

/// Whoever finds nobody at it writes for all who came meanwhile; the others sleep once, until their
/// batch is in.
Result<void> RocksFront::write(rocksdb::WriteBatch& batch) {
  // One that the log does not take is no reason to refuse those of others.
  if (batch.Data().size() > max_batch_bytes_) {
    return std::unexpected(
        Error(ErrorCode::too_large, "write: the batch is above max_record_bytes"));
  }
  Writer self;
  self.batch = &batch;
  {
    const std::lock_guard lock(mutex_);
    writers_.push_back(&self);
    if (!has_leader_) self.wakes.release();
    has_leader_ = true;
  }
  self.wakes.acquire();
  if (self.is_done) return self.result;
  std::vector<Writer*> group;
  {
    const std::lock_guard lock(mutex_);
    group.swap(writers_);
  }
  const auto result = write_group(group);
  for (Writer* const writer : group) {
    if (writer == &self) continue;
    writer->result = result;
    writer->is_done = true;
    writer->wakes.release();  // From here on it is its thread's again.
  }
  return result;
}

/// Whatever happens, those who wait are told.
Result<writeahead::Appended> RocksFront::append(const std::vector<Writer*>& group,
                                                writeahead::Batch& records) {
  try {
    for (const Writer* const writer : group) records.add(writer->batch->Data());
    return log_.append(records);
  } catch (const std::bad_alloc&) {
    return std::unexpected(Error(ErrorCode::no_space, "write: out of memory"));
  }
}

/// One frame of the log, of a record for each caller, so that after a crash its batch is there
/// whole or not at all. While they go into RocksDB the next group is written already.
Result<void> RocksFront::write_group(const std::vector<Writer*>& group) {
  writeahead::Batch records;
  const auto appended = append(group, records);
  // Taken before another one leads, so that RocksDB gets them in the order of the log.
  const std::lock_guard applying(apply_mutex_);
  {
    const std::lock_guard lock(mutex_);
    has_leader_ = !writers_.empty();
    if (has_leader_) writers_.front()->wakes.release();
  }
  if (!appended) return std::unexpected(appended.error());
  for (size_t i = 0; i < group.size() && !failure_; ++i) {
    // What RocksDB does not take is in the log: the next opening puts it in.
    const auto applied = apply(*group[i]->batch, records.lsn(i, *appended));
    if (!applied) failure_ = applied.error();
  }
  if (failure_) return std::unexpected(*failure_);
  return {};
}

Result<void> RocksFront::put(std::string_view key, std::string_view value) {
  rocksdb::WriteBatch batch;
  if (auto added = checked(batch.Put(slice(key), slice(value)), "put"); !added) return added;
  return write(batch);
}

Result<void> RocksFront::erase(std::string_view key) {
  rocksdb::WriteBatch batch;
  if (auto added = checked(batch.Delete(slice(key)), "erase"); !added) return added;
  return write(batch);
}

Result<std::optional<std::string>> RocksFront::get(std::string_view key) const {
  std::string value;
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), slice(key), &value);
  if (status.IsNotFound()) return std::nullopt;
  if (auto done = checked(status, "get"); !done) return std::unexpected(done.error());
  return value;
}

Result<void> RocksFront::flush() {
  if (auto done = checked(db_->Flush(rocksdb::FlushOptions()), "flush"); !done) return done;
  return trim();
}

Result<void> RocksFront::trim() {
  const auto flushed = position(rocksdb::kPersistedTier);
  if (!flushed) return std::unexpected(flushed.error());
  return log_.trim_before(*flushed);
}

Result<void> RocksFront::close() {
  if (auto done = checked(db_->Close(), "close RocksDB"); !done) return done;
  return log_.close();
}

}  // namespace rocksdb_front
