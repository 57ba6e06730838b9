// SQLite in WAL mode: a record is a row under its number, and each append a transaction, of which
// there is one at a time: threads that write at once take turns at one connection.
#include <sqlite3.h>

#include <memory>
#include <mutex>
#include <stdexcept>

#include "driver.h"

namespace peers {
namespace {

struct CloseConnection {
  void operator()(sqlite3* connection) const { sqlite3_close(connection); }
};
using Connection = std::unique_ptr<sqlite3, CloseConnection>;

/// A prepared statement, which is run again and again.
class Statement {
 public:
  Statement(sqlite3* connection, const char* text) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v3(connection, text, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
        SQLITE_OK) {
      throw std::runtime_error(sqlite3_errmsg(connection));
    }
    statement_.reset(statement);
  }
  Statement& bind(uint64_t number) {
    return checked(sqlite3_bind_int64(statement_.get(), 1, static_cast<sqlite3_int64>(number)));
  }
  Statement& bind(std::string_view bytes) {
    return checked(
        sqlite3_bind_blob64(statement_.get(), 1, bytes.data(), bytes.size(), SQLITE_STATIC));
  }
  /// Runs it to its end and shows the first column of each row.
  template <class Row>
  size_t run(const Row& on_row) {
    size_t rows = 0;
    int code = sqlite3_step(statement_.get());
    for (; code == SQLITE_ROW; code = sqlite3_step(statement_.get()), ++rows) {
      const void* blob = sqlite3_column_blob(statement_.get(), 0);
      const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_.get(), 0));
      on_row(std::string_view(static_cast<const char*>(blob), size));
    }
    if (code != SQLITE_DONE) fail();
    checked(sqlite3_reset(statement_.get()));
    return rows;
  }
  void run() {
    run([](std::string_view) {});
  }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  [[noreturn]] void fail() {
    throw std::runtime_error(sqlite3_errmsg(sqlite3_db_handle(statement_.get())));
  }
  Statement& checked(int code) {
    if (code != SQLITE_OK) fail();
    return *this;
  }

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// Opens the database. A connection is used by one thread at a time, so that SQLite needs no mutex.
Connection connect(const std::string& directory) {
  sqlite3* connection = nullptr;
  const int code =
      sqlite3_open_v2((directory + "/records.sqlite").c_str(), &connection,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  Connection owned(connection);
  if (code != SQLITE_OK) throw std::runtime_error(sqlite3_errstr(code));
  // The cache holds all that is read, of 512 MiB in units of -1 KiB.
  for (const char* text :
       {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA cache_size = -524288",
        "CREATE TABLE IF NOT EXISTS records (number INTEGER PRIMARY KEY, "
        "payload BLOB NOT NULL)"}) {
    Statement(connection, text).run();
  }
  return owned;
}

class Sqlite : public Store {
 public:
  explicit Sqlite(const std::string& directory) : connection_(connect(directory)) {}

  void append(std::string_view record) override {
    const std::lock_guard lock(mutex_);
    insert_.bind(record).run();
  }
  void append_batch(std::span<const std::string_view> records) override {
    begin_.run();
    for (const auto record : records) insert_.bind(record).run();
    commit_.run();
  }
  void settle() override { Statement(connection_.get(), "PRAGMA wal_checkpoint(TRUNCATE)").run(); }
  void read(uint64_t number, const Visitor& visit) override {
    // SQLite counts from 1.
    if (select_.bind(number + 1).run(visit) != 1) throw std::runtime_error("no such record");
  }
  void replay(const Visitor& visit) override { select_all_.run(visit); }

 private:
  Connection connection_;
  std::mutex mutex_;
  Statement begin_{connection_.get(), "BEGIN IMMEDIATE"};
  Statement commit_{connection_.get(), "COMMIT"};
  Statement insert_{connection_.get(), "INSERT INTO records (payload) VALUES (?)"};
  Statement select_{connection_.get(), "SELECT payload FROM records WHERE number = ?"};
  Statement select_all_{connection_.get(), "SELECT payload FROM records ORDER BY number"};
};

}  // namespace
}  // namespace peers

int main(int argc, char** argv) {
  using peers::Purpose;
  return peers::run_driver(
      argc, argv,
      {.name = "sqlite",
       .version = sqlite3_libversion(),
       .appends_note =
           "WAL, synchronous=FULL, a transaction for each append or batch; threads take "
           "turns at one connection, which is faster than one each",
       .reads_note = "checkpointed; prepared statements; page cache of 512 MiB; a replay is a "
                     "SELECT in order",
       .no_segments = "its log is one file, which checkpoints empty",
       .open = [](const std::string& directory, Purpose) {
         return std::make_unique<peers::Sqlite>(directory);
       }});
}
