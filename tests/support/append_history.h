// AppendHistory: what several threads appended to one log and what they were told, kept where it
// outlives the process; and HistoryCheck, which compares a log with it.
//
// Each record says who appended it and as which one, so that a record that is missing, altered,
// doubled, out of order or from nowhere shows.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "support/life_signs.h"
#include "writeahead/log.h"

namespace writeahead::test {

inline constexpr size_t kWriters = 5;
inline constexpr size_t kWriterRecords = 1 << 20;

/// For SharedMemory. Each writer's part is written by one thread at a time.
struct AppendHistory {
  struct Writer {
    std::atomic<uint64_t> submitted;  ///< Records given to an append so far.
    /// For each of them the address that the append answered; 0 if it did not (yet).
    std::array<std::atomic<uint64_t>, kWriterRecords> acknowledged;
    /// For each of them the newest address that anybody had been answered when its append began.
    std::array<std::atomic<uint64_t>, kWriterRecords> floor;
  };
  std::array<Writer, kWriters> writers;
  std::atomic<uint64_t> newest;  ///< The highest address that was answered.
  LifeSigns life;

  /// Appends what `writer` appends next, one record or a batch, and notes the answer; one of a
  /// lower level than durable is no promise, and is not noted.
  Result<void> append_next(Log& log, size_t writer, std::mt19937_64& random,
                           Durability level = Durability::durable);
};

/// Reads a log from the beginning on, in one or more passes, and keeps what it saw.
class HistoryCheck {
 public:
  explicit HistoryCheck(const AppendHistory& history);

  /// Reads on to the end. To be called while nobody appends. The first thing that is wrong in
  /// words; nothing if every acknowledged record is there, and nothing that should not be.
  template <class AnyLog>
  [[nodiscard]] std::optional<std::string> read_on(const AnyLog& log) {
    if (auto wrong = read_prefix(log)) return wrong;
    return find_lost();
  }
  /// The same beside a writer: whether all that was acknowledged is there is not asked.
  template <class AnyLog>
  [[nodiscard]] std::optional<std::string> read_prefix(const AnyLog& log) {
    return read(log.reader(records_ == 0 ? log.first_lsn() : position_));
  }
  [[nodiscard]] uint64_t records() const { return records_; }

 private:
  [[nodiscard]] std::optional<std::string> read(Reader reader);
  [[nodiscard]] std::optional<std::string> take(const RecordView& record);
  [[nodiscard]] std::optional<std::string> find_lost();

  struct Seen {
    uint64_t next = 0;          // above the last record that was read
    uint64_t looked_up_to = 0;  // all acknowledged ones below were read
    std::vector<bool> records;
  };
  const AppendHistory* history_;
  std::array<Seen, kWriters> seen_;
  uint64_t records_ = 0;
  Lsn position_;
  Lsn last_lsn_;
  uint64_t batch_left_ = 0;  // records of the batch of the last one that have to follow it
  size_t last_writer_ = 0;
};

}  // namespace writeahead::test
