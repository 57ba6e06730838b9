// LevelDB: a record is a value under its number; the write-ahead log makes it durable. Threads that
// write at once share a barrier.
#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/write_batch.h>

#include <atomic>
#include <stdexcept>

#include "big_endian.h"
#include "driver.h"

namespace peers {
namespace {

constexpr size_t kMemtableBytes = 512 << 20;
constexpr size_t kBlockCacheBytes = 512 << 20;

void check(const leveldb::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

leveldb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
leveldb::Slice slice(const std::array<char, 8>& key) { return {key.data(), key.size()}; }
std::string_view view(const leveldb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

class LevelDb : public Store {
 public:
  LevelDb(const std::string& directory, Purpose purpose)
      : cache_(leveldb::NewLRUCache(kBlockCacheBytes)) {
    leveldb::Options options;
    options.create_if_missing = true;
    options.compression = leveldb::kNoCompression;
    options.block_cache = cache_.get();
    if (purpose == Purpose::appends) options.write_buffer_size = kMemtableBytes;
    leveldb::DB* db = nullptr;
    check(leveldb::DB::Open(options, directory, &db));
    db_.reset(db);
    durable_.sync = true;
  }

  void append(std::string_view record) override {
    check(db_->Put(durable_, slice(big_endian(next_.fetch_add(1))), slice(record)));
  }
  void append_batch(std::span<const std::string_view> records) override {
    leveldb::WriteBatch batch;
    for (const auto record : records) {
      batch.Put(slice(big_endian(next_.fetch_add(1))), slice(record));
    }
    check(db_->Write(durable_, &batch));
  }
  void settle() override { db_->CompactRange(nullptr, nullptr); }
  void read(uint64_t number, const Visitor& visit) override {
    check(db_->Get({}, slice(big_endian(number)), &value_));
    visit(value_);
  }
  void replay(const Visitor& visit) override {
    leveldb::ReadOptions options;
    options.fill_cache = false;
    const std::unique_ptr<leveldb::Iterator> all(db_->NewIterator(options));
    for (all->SeekToFirst(); all->Valid(); all->Next()) visit(view(all->value()));
    check(all->status());
  }

 private:
  /// Goes after the database that uses it.
  std::unique_ptr<leveldb::Cache> cache_;
  std::unique_ptr<leveldb::DB> db_;
  leveldb::WriteOptions durable_;
  std::string value_;
  /// A store that is opened again is only read.
  std::atomic<uint64_t> next_ = 0;
};

}  // namespace
}  // namespace peers

int main(int argc, char** argv) {
  using peers::Purpose;
  return peers::run_driver(
      argc, argv,
      {.name = "leveldb",
       .version =
           std::to_string(leveldb::kMajorVersion) + "." + std::to_string(leveldb::kMinorVersion),
       .appends_note = "WriteOptions.sync, its own groups; no compression; memtable of 512 MiB, so "
                       "that no flush disturbs",
       .reads_note =
           "compacted; block cache of 512 MiB; a replay is an iterator over all keys, which "
           "fills no cache",
       .no_segments = "its log is not cut into segments of a set number of records",
       .open = [](const std::string& directory, Purpose purpose) {
         return std::make_unique<peers::LevelDb>(directory, purpose);
       }});
}
