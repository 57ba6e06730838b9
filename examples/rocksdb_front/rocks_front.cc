// Writing, replaying and trimming.
#include "rocks_front.h"

#include <rocksdb/options.h>

#include <charconv>
#include <expected>
#include <filesystem>
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
      new RocksFront(std::move(*log), std::unique_ptr<rocksdb::DB>(opened)));
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

Result<void> RocksFront::write(rocksdb::WriteBatch& batch) {
  Lsn lsn;
  {
    const std::lock_guard lock(order_mutex_);
    const auto appended =
        log_.append(batch.Data(), {.durability = writeahead::Durability::buffered});
    if (!appended) return std::unexpected(appended.error());
    lsn = *appended;
    pending_.push_back({.batch = &batch, .lsn = lsn});
  }
  if (auto synced = log_.sync(); !synced) {
    // Nobody puts the batch in any more, which is the caller's again from here on.
    const std::lock_guard applying(apply_mutex_);
    failure_ = synced.error();
    return synced;
  }
  // All in front are durable, too: whoever comes first puts them in for the others.
  return apply_up_to(lsn);
}

Result<void> RocksFront::apply_up_to(Lsn lsn) {
  const std::lock_guard applying(apply_mutex_);
  for (;;) {
    if (failure_) return std::unexpected(*failure_);
    Pending next;
    {
      const std::lock_guard lock(order_mutex_);
      if (pending_.empty() || pending_.front().lsn > lsn) return {};
      next = pending_.front();
      pending_.pop_front();
    }
    // What RocksDB did not take is in the log: the next opening puts it in.
    if (auto applied = apply(*next.batch, next.lsn); !applied) failure_ = applied.error();
  }
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
