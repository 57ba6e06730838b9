// Coroutines: many writers that wait for their records without a thread each.
//
//   example_coroutines [DIR]     DIR must not hold a log yet
//
// Each coroutine appends one record after the other, and goes on when the one before is durable.
// They share frames and barriers: a thousand of them cost hardly more than one.
#include <atomic>
#include <coroutine>
#include <exception>
#include <expected>
#include <iostream>
#include <latch>
#include <string>

#include "writeahead/log.h"

namespace {

using writeahead::Log;
using writeahead::Lsn;
using writeahead::Result;

constexpr int kWriters = 1000;
constexpr int kRecordsEach = 5;

/// A coroutine that starts at once and belongs to nobody: its frame goes when it has ended.
struct Detached {
  // NOLINTBEGIN(readability-identifier-naming): the names that the language asks for.
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
  // NOLINTEND(readability-identifier-naming)
};

struct Shared {
  Log& log;
  std::latch writers{kWriters};
  std::atomic<int> durable = 0;
  std::atomic<int> wrong = 0;
};

Detached write(Shared& shared, int writer) {
  Lsn before;
  for (int i = 0; i < kRecordsEach; ++i) {
    const std::string payload = std::to_string(writer) + "/" + std::to_string(i);
    // From here on it runs on the log's background thread, or on Options::executor.
    const Result<Lsn> lsn = co_await shared.log.append_async(payload);
    if (!lsn || (i > 0 && *lsn <= before)) {
      ++shared.wrong;
      break;
    }
    before = *lsn;
    ++shared.durable;
  }
  // The last use of what is shared: whoever waits may end it now.
  shared.writers.count_down();
}

/// Answers whether all was as it should be.
Result<bool> run(const std::string& directory) {
  auto log = Log::open(directory, {.segment_bytes = 1 << 20});
  if (!log) return std::unexpected(log.error());
  Shared shared{.log = *log};
  for (int i = 0; i < kWriters; ++i) write(shared, i);
  shared.writers.wait();
  int records = 0;
  for (auto& record : log->reader(log->first_lsn())) {
    if (!record) return std::unexpected(record.error());
    ++records;
  }
  const auto stats = log->stats();
  const bool shares = stats.frames < stats.records;
  std::cout << kWriters << " coroutines, " << shared.durable << " records durable, " << records
            << " read\n"
            << "they shared frames: " << (shares ? "yes" : "no") << "\n";
  if (auto closed = log->close(); !closed) return std::unexpected(closed.error());
  return shared.wrong == 0 && records == kWriters * kRecordsEach && shares;
}

}  // namespace

int main(int count, char** arguments) {
  const auto done = run(count > 1 ? arguments[1] : "coroutines.log");
  if (!done) {
    std::cerr << writeahead::to_string(done.error().code()) << ": " << done.error().message()
              << "\n";
    return 1;
  }
  std::cout.flush();
  return *done && std::cout.good() ? 0 : 1;
}
