// read_figures DIR: random point reads, replay, and opening, of logs that lie in the page cache.
//
// It makes three logs in DIR, and prints medians over some rounds, each beside its target; behind
// that, what the figure would be by processor time, for a machine that has other things to do. The
// exit status says only whether everything could be done.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace {

using namespace writeahead;
using Clock = std::chrono::steady_clock;

constexpr int kRounds = 5;

/// Durations in seconds, by the clock and by the processor time of this process.
class Times {
 public:
  void start() {
    start_ = Clock::now();
    start_processor_ = std::clock();
  }
  void stop() {
    wall_.push_back(std::chrono::duration<double>(Clock::now() - start_).count());
    processor_.push_back(static_cast<double>(std::clock() - start_processor_) / CLOCKS_PER_SEC);
  }
  double wall() const { return median(wall_); }
  double processor() const { return median(processor_); }

 private:
  static double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
  }
  Clock::time_point start_;
  std::clock_t start_processor_ = 0;
  std::vector<double> wall_;
  std::vector<double> processor_;
};

[[noreturn]] void give_up(std::string_view what) {
  fmt::print(stderr, "read_figures: {}\n", what);
  std::exit(1);
}

template <class T>
T take(Result<T> result) {
  if (!result) give_up(result.error().message());
  return *std::move(result);
}

void print_figure(std::string_view name, double value, double by_processor, std::string_view unit,
                  double target, bool is_met) {
  fmt::print("{:<46}{:>8.2f} {:<5} target {:>6.2f}: {:<7} ({:.2f} by processor time)\n", name,
             value, unit, target, is_met ? "met" : "missed", by_processor);
}

/// `amount` of something in each of these durations.
void print_rate(std::string_view name, const Times& times, double amount, std::string_view unit,
                double target) {
  const double rate = amount / times.wall();
  print_figure(name, rate, amount / times.processor(), unit, target, rate >= target);
}

/// Fills a log up to `segments` segments with batches of records of `bytes()` bytes each, and
/// returns all addresses. Closed, so that every segment but the last is sealed.
template <class Bytes>
std::vector<Lsn> make_log(const std::string& path, uint64_t segment_bytes, size_t segments,
                          size_t batch_records, Bytes bytes) {
  auto log = take(Log::open(path, {.segment_bytes = segment_bytes}));
  std::vector<Lsn> lsns;
  const std::string payload(4096, 'r');
  while (log.stats().segments_opened < segments) {
    Batch batch;
    while (batch.size() < batch_records) batch.add(std::string_view(payload).substr(0, bytes()));
    const Appended range = take(log.append(batch));
    for (size_t i = 0; i < batch.size(); ++i) lsns.push_back(batch.lsn(i, range));
  }
  if (auto closed = log.close(); !closed) give_up(closed.error().message());
  return lsns;
}

/// Records of 64 to 100 bytes, everywhere in 4 sealed segments of 16 MiB; by one thread, and by one
/// for each processor.
void measure_point_reads(const std::string& path, std::mt19937_64& random) {
  constexpr size_t kReads = 2'000'000;
  auto lsns = make_log(path, 16 << 20, 5, 100, [&] { return 64 + random() % 37; });
  auto log = take(Log::open(path));
  const Lsn end = log.segments().back().base_lsn;
  std::erase_if(lsns, [&](Lsn lsn) { return lsn >= end; });
  std::vector<Lsn> wanted(kReads);
  for (Lsn& lsn : wanted) lsn = lsns[random() % lsns.size()];
  const auto read_all = [&] {
    uint64_t bytes = 0;
    for (const Lsn lsn : wanted) bytes += take(log.read(lsn)).payload.size();
    if (bytes == 0) give_up("nothing was read");
  };
  read_all();  // Reads the segments in.
  Times one;
  Times all;
  const size_t threads = std::max(1U, std::thread::hardware_concurrency());
  for (int round = 0; round < kRounds; ++round) {
    one.start();
    read_all();
    one.stop();
    all.start();
    {
      std::vector<std::jthread> readers;
      readers.reserve(threads);
      for (size_t i = 0; i < threads; ++i) readers.emplace_back(read_all);
    }
    all.stop();
  }
  print_rate("random point reads, 64-100 bytes, 1 thread", one, kReads / 1e6, "M/s", 3.0);
  print_rate(fmt::format("random point reads, {} threads together", threads), all,
             static_cast<double>(threads) * kReads / 1e6, "M/s", 3.0);
}

/// Whole logs of 512 MiB, each time by a fresh opening, so that the first use of each segment,
/// which reads it whole and compares it with its successor's link, is part of it.
void measure_replay(const std::string& path) {
  const auto lsns = make_log(path, 64 << 20, 9, 64, [] { return 1024; });
  Times first;
  Times again;
  for (int round = 0; round < kRounds; ++round) {
    auto log = take(ReadOnlyLog::open(path));
    for (Times* times : {&first, &again}) {
      times->start();
      uint64_t bytes = 0;
      for (auto& record : log.reader(log.first_lsn())) {
        bytes += take(std::move(record)).payload.size();
      }
      times->stop();
      if (bytes != lsns.size() * 1024) give_up("the replay is not complete");
    }
  }
  const double gigabytes = static_cast<double>(lsns.size()) * 1024 / 1e9;
  print_rate("replay after opening, 1 KiB records", first, gigabytes, "GB/s", 1.5);
  print_rate("replay again", again, gigabytes, "GB/s", 1.5);
}

void measure_opening(const std::string& path, size_t segments) {
  make_log(path, 64 << 10, segments + 1, 50, [] { return 1024; });
  Times for_writing;
  Times for_reading;
  for (int round = 0; round < kRounds; ++round) {
    for_writing.start();
    auto log = take(Log::open(path));
    for_writing.stop();
    if (auto closed = log.close(); !closed) give_up(closed.error().message());
    for_reading.start();
    take(ReadOnlyLog::open(path));
    for_reading.stop();
  }
  const double target = 50.0 * static_cast<double>(segments) / 1000;
  const auto print = [&](std::string_view how, const Times& times) {
    print_figure(fmt::format("open {}, {} sealed segments", how, segments), times.wall() * 1e3,
                 times.processor() * 1e3, "ms", target, times.wall() * 1e3 < target);
  };
  print("for writing", for_writing);
  print("for reading", for_reading);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) give_up("usage: read_figures DIR [SEGMENTS]");
  const std::string directory = argv[1];
  const size_t segments = argc == 3 ? std::strtoul(argv[2], nullptr, 10) : 1000;
  std::mt19937_64 random(1);
  fmt::print("reads from the page cache, medians of {} rounds\n", kRounds);
  measure_point_reads(directory + "/points", random);
  measure_replay(directory + "/replay");
  measure_opening(directory + "/opening", segments);
  return 0;
}
