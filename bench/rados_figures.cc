// The figures of a log on Ceph, each beside its target.
//
//   rados_figures ADDRESS [--json]     makes logs there, ADDRESS with a number behind its name, and
//                                      removes them again
//   rados_figures ADDRESS --appends    makes a log there, appends small records without pause, one
//                                      at a time, until SIGTERM, and prints when each of them was
//                                      acknowledged, in seconds of the machine's monotonic clock
//
// The targets are those of a cluster on one machine with one disk, as scripts/rados-cluster makes.
// scripts/bench-rados measures all, with what faults do to such a writer, and etcd beside it.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "figure.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace {

using figures::Bound;
using figures::require;
using figures::seconds_of;
using figures::show;
using writeahead::Batch;
using writeahead::ErrorCode;
using writeahead::Log;
using writeahead::Lsn;
using writeahead::Options;
using writeahead::ReadOnlyLog;
using Clock = std::chrono::steady_clock;

constexpr size_t kSmallBytes = 128;

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

double percentile(std::vector<double> values, double percent) {
  std::ranges::sort(values);
  return values[static_cast<size_t>(static_cast<double>(values.size() - 1) * percent / 100)];
}

/// Of log `number`: in front of what follows a question mark.
std::string address_of(std::string address, int number) {
  return address.insert(std::min(address.find('?'), address.size()), fmt::format("-{}", number));
}

Log open_log(const std::string& address, const Options& options = {}) {
  auto log = Log::open(address, options);
  if (!log) fmt::print(stderr, "{}\n", log.error().message());
  require(log.has_value(), "the log does not open");
  return std::move(*log);
}

/// One appender, who waits for each record.
std::vector<double> append_singly(Log& log, const std::string& payload) {
  constexpr int kAppends = 1000;
  std::vector<double> times;
  for (int i = 0; i < kAppends; ++i) {
    const auto begin = Clock::now();
    require(log.append(payload).has_value(), "an append fails");
    times.push_back(ms_since(begin));
  }
  return times;
}

void show_single(const std::string& address) {
  Log log = open_log(address);
  const auto small = append_singly(log, std::string(kSmallBytes, 's'));
  show("append of 128 bytes, one in flight: p50", percentile(small, 50), "ms");
  show("append of 128 bytes, one in flight: p99", percentile(small, 99), "ms");
  const auto times = append_singly(log, std::string(4096, 's'));
  show("append of 4 KiB, one in flight: p50", percentile(times, 50), "ms", Bound::at_most, 5);
  show("append of 4 KiB, one in flight: p99", percentile(times, 99), "ms", Bound::at_most, 20);
}

/// So many in flight at any time, each followed by the next when it is told.
class Crowd {
 public:
  Crowd(Log& log, int records) : log_(log), left_(records), awaited_(records) {}
  void run() {
    constexpr int kAppenders = 256;
    for (int i = 0; i < kAppenders; ++i) next();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return awaited_ == 0; });
  }
  [[nodiscard]] const std::vector<double>& times() const { return times_; }

 private:
  void next() {
    if (left_.fetch_sub(1) <= 0) return;
    log_.append_async(payload_, [this, begin = Clock::now()](const auto& lsn) {
      require(lsn.has_value(), "an append fails");
      const double ms = ms_since(begin);
      next();
      // The last thing that is done with this object.
      const std::lock_guard lock(mutex_);
      times_.push_back(ms);
      if (--awaited_ == 0) done_.notify_all();
    });
  }

  const std::string payload_ = std::string(1024, 'c');
  Log& log_;
  std::atomic<int> left_;
  std::mutex mutex_;
  std::condition_variable done_;
  int awaited_;
  std::vector<double> times_;
};

void show_crowd(const std::string& address) {
  constexpr int kRecords = 100'000;
  Log log = open_log(address);
  Crowd crowd(log, kRecords);
  const double seconds = seconds_of([&] { crowd.run(); });
  show("256 appenders of 1 KiB", kRecords / seconds, "records/s", Bound::at_least, 15'000);
  show("256 appenders of 1 KiB: p99", percentile(crowd.times(), 99), "ms", Bound::at_most, 60);
}

void fill(Log& log, uint64_t bytes) {
  const std::string payload(64 << 10, 'f');
  Batch batch;
  for (uint64_t i = 0; i < bytes; i += payload.size()) {
    batch.add(payload);
    if (batch.encoded_bytes() < (4 << 20)) continue;
    require(log.append(batch).has_value(), "a batch fails");
    batch.clear();
  }
}

void show_reading(const std::string& address) {
  constexpr uint64_t kBytes = 192 << 20;
  {
    Log log = open_log(address);
    fill(log, kBytes);
    require(log.close().has_value(), "the log does not close");
  }
  uint64_t bytes = 0;
  const double seconds = seconds_of([&] {
    const auto log = ReadOnlyLog::open(address);
    require(log.has_value(), "the log does not open for reading");
    for (auto& record : log->reader(log->first_lsn())) {
      require(record.has_value(), "a record is not read");
      bytes += record->payload.size();
    }
  });
  show("reading all of three segments", static_cast<double>(bytes) / 1e6 / seconds, "MB/s",
       Bound::at_least, 100);
}

/// The old owner does not know that it is not alive any more.
void show_takeover(const std::string& address) {
  constexpr uint64_t kBytes = 60 << 20;
  constexpr int kTries = 1000;
  Log old = open_log(address);
  fill(old, kBytes);
  std::optional<Log> log;
  const double seconds = seconds_of([&] {
    log.emplace(open_log(address));
    require(log->append("first").has_value(), "the new owner's append fails");
  });
  show("takeover of 60 MiB, to the first acknowledgement", seconds, "s", Bound::at_most, 2);
  int accepted = 0;
  for (int i = 0; i < kTries; ++i) {
    const auto lsn = old.append("zombie");
    accepted += lsn || lsn.error().code() != ErrorCode::fenced ? 1 : 0;
  }
  show("of 1,000 appends of the old owner, not refused", accepted, "", Bound::at_most, 0);
}

void show_memory(const std::string& address) {
  // What a process needs for its connection, once.
  Log first = open_log(address);
  require(first.append("m").has_value(), "an append fails");
  const uint64_t before = figures::heap_bytes();
  std::vector<Log> logs;
  constexpr int kLogs = 4;
  for (int i = 0; i < kLogs; ++i) {
    logs.push_back(open_log(address_of(address, i)));
    for (int j = 0; j < 20; ++j) {
      require(logs.back().append(std::string(4096, 'm')).has_value(), "an append fails");
    }
  }
  const double each = static_cast<double>(figures::heap_bytes() - before) / kLogs;
  show("memory of an open log", each / (1 << 20), "MiB", Bound::at_most, 16);
  logs.clear();
  for (int i = 0; i < kLogs; ++i) (void)Log::destroy(address_of(address, i));
}

volatile std::sig_atomic_t is_told_to_end = 0;

/// The active segment is half full, so that an OSD that returns has something to fetch.
void append_until_told(const std::string& address) {
  constexpr uint64_t kFillBytes = 32 << 20;
  (void)Log::destroy(address);
  Log log = open_log(address);
  fill(log, kFillBytes);
  std::signal(SIGTERM, [](int) { is_told_to_end = 1; });
  const std::string payload(kSmallBytes, 's');
  while (is_told_to_end == 0) {
    const auto lsn = log.append(payload);
    if (!lsn) fmt::print(stderr, "{}\n", lsn.error().message());
    require(lsn.has_value(), "an append fails");
    const std::chrono::duration<double> now = Clock::now().time_since_epoch();
    fmt::print("{:.6f}\n", now.count());
    std::fflush(stdout);
  }
  require(log.close().has_value(), "the log does not close");
  require(Log::destroy(address).has_value(), "the log is not removed");
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  const std::string_view option = words.size() == 2 ? words[1] : "";
  if (words.empty() || words.size() > 2 ||
      (words.size() == 2 && option != "--json" && option != "--appends")) {
    fmt::print(stderr, "usage: rados_figures ADDRESS [--json | --appends]\n");
    return 2;
  }
  if (option == "--appends") {
    append_until_told(std::string(words[0]));
    return 0;
  }
  figures::prints_json = option == "--json";
  int number = 0;
  for (const auto& shown : {show_single, show_crowd, show_reading, show_takeover, show_memory}) {
    const std::string address = address_of(std::string(words[0]), ++number);
    (void)Log::destroy(address);
    shown(address);
    require(Log::destroy(address).has_value(), "the log is not removed");
  }
  return 0;
}
