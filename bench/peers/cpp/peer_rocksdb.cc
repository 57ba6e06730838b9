// RocksDB: a record is a value under its number; the write-ahead log makes it durable. Threads that
// write at once share a barrier.
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <stdexcept>

#include "big_endian.h"
#include "driver.h"

namespace peers {
namespace {

constexpr size_t kMemtableBytes = 512 << 20;
constexpr size_t kBlockCacheBytes = 512 << 20;
constexpr size_t kReadaheadBytes = 2 << 20;

void check(const rocksdb::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
rocksdb::Slice slice(const std::array<char, 8>& key) { return {key.data(), key.size()}; }

class RocksDb : public Store {
 public:
  RocksDb(const std::string& directory, Purpose purpose) {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(kBlockCacheBytes);
    rocksdb::Options options;
    options.create_if_missing = true;
    options.compression = rocksdb::kNoCompression;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    if (purpose == Purpose::appends) options.write_buffer_size = kMemtableBytes;
    rocksdb::DB* db = nullptr;
    check(rocksdb::DB::Open(options, directory, &db));
    db_.reset(db);
    durable_.sync = true;
  }
  ~RocksDb() override { db_->Close().PermitUncheckedError(); }

  void append(std::string_view record) override {
    check(db_->Put(durable_, slice(big_endian(next_.fetch_add(1))), slice(record)));
  }
  void append_batch(std::span<const std::string_view> records) override {
    rocksdb::WriteBatch batch;
    for (const auto record : records) {
      check(batch.Put(slice(big_endian(next_.fetch_add(1))), slice(record)));
    }
    check(db_->Write(durable_, &batch));
  }
  void settle() override {
    check(db_->Flush({}));
    check(db_->CompactRange({}, nullptr, nullptr));
  }
  void read(uint64_t number, const Visitor& visit) override {
    rocksdb::PinnableSlice value;
    check(db_->Get({}, db_->DefaultColumnFamily(), slice(big_endian(number)), &value));
    visit(value.ToStringView());
  }
  void replay(const Visitor& visit) override {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    options.readahead_size = kReadaheadBytes;
    const std::unique_ptr<rocksdb::Iterator> all(db_->NewIterator(options));
    for (all->SeekToFirst(); all->Valid(); all->Next()) visit(all->value().ToStringView());
    check(all->status());
  }

 private:
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::WriteOptions durable_;
  /// A store that is opened again is only read.
  std::atomic<uint64_t> next_ = 0;
};

}  // namespace
}  // namespace peers

int main(int argc, char** argv) {
  using peers::Purpose;
  return peers::run_driver(
      argc, argv,
      {.name = "rocksdb",
       .version = rocksdb::GetRocksVersionAsString(),
       .appends_note = "WriteOptions.sync, its own groups; no compression; memtable of 512 MiB, so "
                       "that no flush disturbs",
       .reads_note =
           "compacted; block cache of 512 MiB; a replay is an iterator over all keys, which "
           "fills no cache",
       .no_segments = "its log is not cut into segments of a set number of records",
       .open = [](const std::string& directory, Purpose purpose) {
         return std::make_unique<peers::RocksDb>(directory, purpose);
       }});
}
