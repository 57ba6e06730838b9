// LMDB: a record is a value under its number, and each append a write transaction, of which there
// is one at a time: threads that write at once share nothing.
#include <lmdb.h>

#include <stdexcept>

#include "driver.h"

namespace peers {
namespace {

constexpr size_t kMapBytes = size_t{16} << 30;

void check(int code) {
  if (code != MDB_SUCCESS) throw std::runtime_error(mdb_strerror(code));
}

MDB_val value_of(const void* data, size_t size) { return {size, const_cast<void*>(data)}; }
std::string_view view(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

struct AbortTransaction {
  void operator()(MDB_txn* transaction) const { mdb_txn_abort(transaction); }
};
using Transaction = std::unique_ptr<MDB_txn, AbortTransaction>;

Transaction begin(MDB_env* environment, unsigned flags) {
  MDB_txn* transaction = nullptr;
  check(mdb_txn_begin(environment, nullptr, flags, &transaction));
  return Transaction(transaction);
}

struct CloseEnvironment {
  void operator()(MDB_env* environment) const { mdb_env_close(environment); }
};
struct CloseCursor {
  void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
};

class Lmdb : public Store {
 public:
  explicit Lmdb(const std::string& directory) {
    MDB_env* environment = nullptr;
    check(mdb_env_create(&environment));
    environment_.reset(environment);
    check(mdb_env_set_mapsize(environment, kMapBytes));
    check(mdb_env_open(environment, directory.c_str(), 0, 0600));
    Transaction transaction = begin(environment, 0);
    check(mdb_dbi_open(transaction.get(), nullptr, MDB_INTEGERKEY, &records_));
    check(mdb_txn_commit(transaction.release()));
  }

  void append(std::string_view record) override { append_batch({&record, 1}); }
  void append_batch(std::span<const std::string_view> records) override {
    Transaction transaction = begin(environment_.get(), 0);
    for (const auto record : records) {
      // The transaction is the lock of next_, too.
      const size_t number = next_++;
      MDB_val key = value_of(&number, sizeof number);
      MDB_val value = value_of(record.data(), record.size());
      check(mdb_put(transaction.get(), records_, &key, &value, MDB_APPEND));
    }
    check(mdb_txn_commit(transaction.release()));
  }
  void read(uint64_t number, const Visitor& visit) override {
    // Each read sees the newest state, as it would beside a writer.
    if (reading_) {
      check(mdb_txn_renew(reading_.get()));
    } else {
      reading_ = begin(environment_.get(), MDB_RDONLY);
    }
    MDB_val key = value_of(&number, sizeof number);
    MDB_val value{};
    check(mdb_get(reading_.get(), records_, &key, &value));
    visit(view(value));
    mdb_txn_reset(reading_.get());
  }
  void replay(const Visitor& visit) override {
    const Transaction transaction = begin(environment_.get(), MDB_RDONLY);
    MDB_cursor* opened = nullptr;
    check(mdb_cursor_open(transaction.get(), records_, &opened));
    const std::unique_ptr<MDB_cursor, CloseCursor> cursor(opened);
    MDB_val key{}, value{};
    int code = mdb_cursor_get(cursor.get(), &key, &value, MDB_FIRST);
    for (; code == MDB_SUCCESS; code = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)) {
      visit(view(value));
    }
    if (code != MDB_NOTFOUND) check(code);
  }

 private:
  std::unique_ptr<MDB_env, CloseEnvironment> environment_;
  MDB_dbi records_ = 0;
  /// Of the calls of read.
  Transaction reading_;
  /// A store that is opened again is only read.
  size_t next_ = 0;
};

}  // namespace
}  // namespace peers

int main(int argc, char** argv) {
  using peers::Purpose;
  int major = 0, minor = 0, patch = 0;
  mdb_version(&major, &minor, &patch);
  return peers::run_driver(
      argc, argv,
      {.name = "lmdb",
       .version = std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch),
       .appends_note =
           "a synced transaction for each append or batch, MDB_APPEND; one writer at a time",
       .reads_note = "a read transaction for each read; a replay is a cursor over all keys",
       .no_segments = "it has no log",
       .open = [](const std::string& directory, Purpose) {
         return std::make_unique<peers::Lmdb>(directory);
       }});
}
