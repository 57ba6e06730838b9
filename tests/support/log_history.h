// LogHistory: what several threads did to one log, appends of all levels, syncs, trims and
// truncations, and what they were told, kept where it outlives the process; HistoryWriter, which
// does it; and LogHistoryCheck, which says whether a log can be what is left of it.
//
// Each call notes the moment at which it began and, once it was answered, the moment of its end.
// What overlaps may have happened in either order; what does not has one order.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "support/life_signs.h"
#include "support/marked_payload.h"
#include "writeahead/log.h"

namespace writeahead::test {

/// For SharedMemory. All that is counted from the last check on is in rings.
struct LogHistory {
  static constexpr size_t kWriters = 4;
  static constexpr size_t kRecords = 1 << 14;
  static constexpr size_t kCuts = 1 << 12;

  struct Record {
    std::atomic<uint64_t> begun;
    std::atomic<uint64_t> lsn;       // 0: not answered
    std::atomic<uint64_t> answered;  // stored last
    std::atomic<Durability> level;
  };
  struct Writer {
    std::atomic<uint64_t> submitted;  // records given to an append so far
    std::atomic<uint64_t> checked;    // all below were seen by a check
    std::array<Record, kRecords> records;
  };
  /// A truncation; or an opening, which takes away what a kill left behind its end.
  struct Cut {
    std::atomic<uint64_t> lsn;
    std::atomic<uint64_t> begun;   // 0: not yet
    std::atomic<uint64_t> ended;   // 0: it may have happened or not
    std::atomic<uint64_t> synced;  // as it stood at that opening
    std::atomic<bool> is_opening;
    std::atomic<bool> is_refused;
  };

  std::array<Writer, kWriters> writers;
  std::array<Cut, kCuts> cuts;
  std::atomic<uint64_t> cut_count;
  std::atomic<uint64_t> moments;
  std::atomic<uint64_t> synced;        // what was answered before this moment is durable
  std::atomic<uint64_t> trim_asked;    // the highest position that a trim asked for
  std::atomic<uint64_t> trim_reached;  // the highest beginning of the log after a trim
  std::atomic<uint64_t> trims;
  std::atomic<uint64_t> truncations;
  LifeSigns life;

  uint64_t now() { return moments.fetch_add(1) + 1; }
  Record& record(size_t writer, uint64_t number) {
    return writers[writer].records[number % kRecords];
  }
  /// To be called before anything is done to a log that was just opened.
  void note_opening(const Log& log);
};

/// One thread's part. The log must not outlive it.
class HistoryWriter {
 public:
  HistoryWriter(LogHistory& history, Log& log, size_t writer, uint64_t seed)
      : history_(history), log_(log), writer_(writer), random_(seed) {}

  /// Does something random.
  Result<void> step();

 private:
  Result<void> append();
  Result<void> append_one(uint64_t number, Durability level, std::string payload);
  Result<void> sync();
  Result<void> trim();
  Result<void> truncate();
  Lsn some_lsn();
  void note(uint64_t first, uint64_t count, const Batch* batch, const Result<Appended>& answer);

  LogHistory& history_;
  Log& log_;
  const size_t writer_;
  std::mt19937_64 random_;
  std::deque<Lsn> recent_;
  std::atomic<uint64_t> in_flight_ = 0;
};

/// The parent's memory of what the log held.
class LogHistoryCheck {
 public:
  /// What was answered with the level `safe` or a higher one has to be there: `written` after the
  /// end of a process, `durable` after a power cut.
  explicit LogHistoryCheck(LogHistory& history, Durability safe = Durability::written)
      : history_(history), safe_(safe) {}

  /// Reads the log whole, while nobody writes it. The first thing that is wrong in words; nothing
  /// if it may be what is left. Then what is there is certain from now on.
  template <class AnyLog>
  [[nodiscard]] std::optional<std::string> compare(const AnyLog& log) {
    first_ = log.first_lsn();
    end_ = log.durable_lsn();
    auto wrong = read(log.reader(first_));
    if (!wrong) wrong = judge();
    if (!wrong) accept();
    return wrong;
  }
  [[nodiscard]] size_t records() const { return found_.size(); }
  /// Answered records of lower levels that went with their memory.
  [[nodiscard]] uint64_t lost_in_memory() const { return lost_in_memory_; }

 private:
  struct Found {
    Mark mark;
    Lsn lsn;
    Lsn behind;
  };
  using Key = std::pair<uint64_t, uint64_t>;  // writer and number
  /// A record that was answered.
  struct Claim {
    uint64_t lsn;
    uint64_t begun;
    uint64_t answered;
    bool is_certain;
  };

  [[nodiscard]] std::optional<std::string> read(Reader reader);
  [[nodiscard]] std::optional<std::string> judge();
  [[nodiscard]] std::optional<std::string> judge_found(size_t index);
  [[nodiscard]] std::optional<std::string> judge_missing(const Key& key, const Claim& claim);
  [[nodiscard]] bool batch_is_whole(size_t index) const;
  [[nodiscard]] std::optional<Claim> claim_of(const Key& key) const;
  [[nodiscard]] bool was_synced(uint64_t answered) const;
  void accept();

  LogHistory& history_;
  const Durability safe_;
  Lsn first_;
  Lsn end_;
  std::vector<Found> found_;
  std::map<Key, uint64_t> certain_;  // the address of each record that the last check found
  uint64_t checked_at_ = 0;
  uint64_t first_before_ = 0;
  std::set<uint64_t> cut_positions_;  // of all truncations
  uint64_t lost_in_memory_ = 0;
};

}  // namespace writeahead::test
