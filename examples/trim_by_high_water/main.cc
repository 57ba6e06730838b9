// Trim by high water: give up what all consumers are done with, and nothing else.
//
//   example_trim_by_high_water [DIR]     DIR must not hold a log yet
//
// Two consumers read at different speeds. Each has a hold, which is durable and found again by its
// name after a restart: a trim never passes the slowest one. A consumer moves its hold when its own
// work is safe, so that after a crash it sees some records again and misses none.
#include <expected>
#include <iostream>
#include <string>

#include "writeahead/log.h"

namespace {

using writeahead::Hold;
using writeahead::Log;
using writeahead::Result;

Result<Log> open_log(const std::string& directory) {
  // Small segments, so that there is something to trim: only whole ones go.
  return Log::open(directory, {.segment_bytes = 8192});
}

/// Takes up to `count` records from where the hold stands, and moves it behind them. Returns how
/// many there were.
Result<int> consume(const Log& log, Hold& hold, int count) {
  const auto start = hold.lsn();
  if (!start) return std::unexpected(start.error());
  auto reader = log.reader(*start);
  int taken = 0;
  while (taken < count) {
    const auto record = reader.next();
    if (!record) break;
    if (!*record) return std::unexpected(record->error());
    ++taken;  // Here the record's effect would be made safe.
  }
  if (auto moved = hold.advance(reader.position()); !moved) return std::unexpected(moved.error());
  return taken;
}

/// How many records the log has after a trim that asks for everything.
Result<uint64_t> trim_and_count(Log& log) {
  if (auto done = log.trim_before(log.end_lsn()); !done) return std::unexpected(done.error());
  uint64_t records = 0;
  for (const auto& segment : log.segments()) records += segment.records;
  return records;
}

/// Answers whether all was as it should be.
Result<bool> run(const std::string& directory) {
  auto log = open_log(directory);
  if (!log) return std::unexpected(log.error());
  auto fast = log->hold("fast", log->first_lsn());
  if (!fast) return std::unexpected(fast.error());
  auto slow = log->hold("slow", log->first_lsn());
  if (!slow) return std::unexpected(slow.error());
  for (int i = 0; i < 40; ++i) {
    if (auto lsn = log->append(std::string(500, 'x')); !lsn) return std::unexpected(lsn.error());
  }
  const auto fast_count = consume(*log, *fast, 40);
  const auto slow_count = consume(*log, *slow, 20);
  if (!fast_count) return std::unexpected(fast_count.error());
  if (!slow_count) return std::unexpected(slow_count.error());
  const auto kept = trim_and_count(*log);
  if (!kept) return std::unexpected(kept.error());
  const bool is_held = *kept >= 20 && *kept < 40;
  std::cout << "fast took " << *fast_count << ", slow took " << *slow_count << "\n"
            << (is_held ? "trimmed up to the slow one" : "trimmed too much or nothing") << "\n";
  if (auto closed = log->close(); !closed) return std::unexpected(closed.error());

  // After a restart the slow one goes on where it was.
  log = open_log(directory);
  if (!log) return std::unexpected(log.error());
  for (const auto& hold : log->holds()) {
    if (hold.name == "slow") slow = log->hold(hold.name, hold.lsn);
  }
  if (!slow) return std::unexpected(slow.error());
  const auto rest = consume(*log, *slow, 100);
  if (!rest) return std::unexpected(rest.error());
  const auto left = trim_and_count(*log);
  if (!left) return std::unexpected(left.error());
  std::cout << "slow took the other " << *rest << "\n" << *left << " records left\n";
  if (auto closed = log->close(); !closed) return std::unexpected(closed.error());
  return is_held && *rest == 20 && *left == 0;
}

}  // namespace

int main(int count, char** arguments) {
  const auto done = run(count > 1 ? arguments[1] : "trim_by_high_water.log");
  if (!done) {
    std::cerr << writeahead::to_string(done.error().code()) << ": " << done.error().message()
              << "\n";
    return 1;
  }
  std::cout.flush();
  return *done && std::cout.good() ? 0 : 1;
}
