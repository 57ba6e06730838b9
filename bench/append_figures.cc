// append_figures DIR: durable 64-byte appends of one thread and of several, next to the device's
// bare floor, in interleaved rounds of one run so that a noisy disk disturbs all of them alike.
//
// The floor is the overwrite of an already written, aligned block past the page cache that returns
// when it is durable, moving on as a log does. It prints medians over the rounds, and ratios; it
// judges nothing.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "writeahead/env.h"
#include "writeahead/log.h"

namespace {

using namespace writeahead;
using Clock = std::chrono::steady_clock;

constexpr int kRounds = 7;
constexpr int kAppendsPerRound = 500;
constexpr int kGroupAppendsPerRound = 12'800;
constexpr std::array kThreadCounts = {2, 8, 64};
constexpr std::string_view kFloorName = "floor.tmp";
constexpr std::string_view kRecord =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

double percentile(std::vector<double> values, double share) {
  std::ranges::sort(values);
  return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
}

[[noreturn]] void give_up(std::string_view what) {
  fmt::print(stderr, "append_figures: {}\n", what);
  std::exit(1);
}

/// A prepared file whose blocks are overwritten one after the other, each as often as 64-byte
/// records would touch it.
class Floor {
 public:
  explicit Floor(Directory& directory) : directory_(directory) {
    static_cast<void>(directory.remove(kFloorName));
    auto file = directory.open(kFloorName, {.write = true, .create = true});
    if (!file) give_up("cannot create the floor's file");
    std::fill_n(block_.get(), kBlockBytes, std::byte{0});
    for (uint64_t i = 0; i < kBlocks; ++i) {
      if (!(*file)->write_at(i * kBlockBytes, block(), WriteBarrier::none)) give_up("cannot fill");
    }
    if (!(*file)->sync_data()) give_up("cannot sync the floor's file");
    auto direct = directory.open(kFloorName, {.write = true, .direct = true});
    file_ = direct ? std::move(*direct) : std::move(*file);
    if (!direct) fmt::print("direct access is refused here: the floor goes through the cache\n");
  }
  ~Floor() { static_cast<void>(directory_.remove(kFloorName)); }
  Floor(const Floor&) = delete;
  Floor& operator=(const Floor&) = delete;

  double write_once() {
    const uint64_t offset = (written_++ / kWritesPerBlock % kBlocks) * kBlockBytes;
    const auto start = Clock::now();
    if (!file_->write_at(offset, block(), WriteBarrier::dsync)) give_up("the floor's write failed");
    return microseconds_since(start);
  }

 private:
  static constexpr uint64_t kBlocks = 256;
  static constexpr uint64_t kWritesPerBlock = 24;
  struct Delete {
    void operator()(std::byte* p) const { ::operator delete(p, std::align_val_t(kBlockBytes)); }
  };
  std::span<const std::byte> block() const { return {block_.get(), kBlockBytes}; }

  Directory& directory_;
  std::unique_ptr<std::byte, Delete> block_{
      static_cast<std::byte*>(::operator new(kBlockBytes, std::align_val_t(kBlockBytes)))};
  std::unique_ptr<File> file_;
  uint64_t written_ = 0;
};

void append_one(Log& log) {
  if (auto lsn = log.append(kRecord); !lsn) give_up(lsn.error().message());
}

struct GroupFigures {
  double appends_per_second;
  double mean_group;
};

GroupFigures append_from(Log& log, int threads) {
  const Stats before = log.stats();
  const auto start = Clock::now();
  {
    std::vector<std::jthread> writers;
    for (int i = 0; i < threads; ++i) {
      writers.emplace_back([&log, threads] {
        for (int n = 0; n < kGroupAppendsPerRound / threads; ++n) {
          append_one(log);
        }
      });
    }
  }
  const double seconds = microseconds_since(start) / 1e6;
  const Stats after = log.stats();
  const auto records = static_cast<double>(after.records - before.records);
  return {.appends_per_second = records / seconds,
          .mean_group = records / static_cast<double>(after.frames - before.frames)};
}

void measure(const std::string& path) {
  auto directory = Env::posix().open_directory(path, true, 0700);
  if (!directory) give_up("cannot open the directory");
  Floor floor(**directory);
  auto log = Log::open(path + "/log", {.segment_bytes = 256 << 20});
  if (!log) give_up(log.error().message());
  append_one(*log);  // Prepares the segment, which is no part of what is measured.

  std::vector<double> floor_p50, floor_p99, append_p50, append_p99, single_rate;
  std::array<std::vector<double>, kThreadCounts.size()> rates;
  std::array<std::vector<double>, kThreadCounts.size()> groups;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> floor_us, append_us;
    for (int i = 0; i < kAppendsPerRound; ++i) {
      floor_us.push_back(floor.write_once());
      const auto start = Clock::now();
      append_one(*log);
      append_us.push_back(microseconds_since(start));
    }
    floor_p50.push_back(percentile(floor_us, 0.5));
    floor_p99.push_back(percentile(floor_us, 0.99));
    append_p50.push_back(percentile(append_us, 0.5));
    append_p99.push_back(percentile(append_us, 0.99));
    const auto start = Clock::now();
    for (int i = 0; i < kAppendsPerRound; ++i) append_one(*log);
    single_rate.push_back(kAppendsPerRound / (microseconds_since(start) / 1e6));
    for (size_t i = 0; i < kThreadCounts.size(); ++i) {
      const GroupFigures figures = append_from(*log, kThreadCounts[i]);
      rates[i].push_back(figures.appends_per_second);
      groups[i].push_back(figures.mean_group);
    }
  }
  if (auto closed = log->close(); !closed) give_up(closed.error().message());

  fmt::print("64-byte durable appends, method {}, medians of {} interleaved rounds\n",
             to_string(log->stats().sync_method), kRounds);
  fmt::print("{:<28}{:>12}{:>12}\n", "one writer", "p50 us", "p99 us");
  const double floor_us = percentile(floor_p50, 0.5);
  const double append_us = percentile(append_p50, 0.5);
  fmt::print("{:<28}{:>12.1f}{:>12.1f}\n", "floor", floor_us, percentile(floor_p99, 0.5));
  fmt::print("{:<28}{:>12.1f}{:>12.1f}\n", "append", append_us, percentile(append_p99, 0.5));
  fmt::print("{:<28}{:>12.2f}{:>12.2f}   (p50: at most 1.35)\n", "append / floor",
             append_us / floor_us, percentile(append_p99, 0.5) / percentile(floor_p99, 0.5));
  fmt::print("\n{:<28}{:>12}{:>12}{:>12}\n", "writers", "appends/s", "x one", "mean group");
  const double one = percentile(single_rate, 0.5);
  fmt::print("{:<28}{:>12.0f}{:>12.1f}{:>12.1f}\n", 1, one, 1.0, 1.0);
  for (size_t i = 0; i < kThreadCounts.size(); ++i) {
    const double rate = percentile(rates[i], 0.5);
    fmt::print("{:<28}{:>12.0f}{:>12.1f}{:>12.1f}{}\n", kThreadCounts[i], rate, rate / one,
               percentile(groups[i], 0.5), kThreadCounts[i] == 64 ? "   (at least 12 x)" : "");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) give_up("usage: append_figures DIR");
  measure(argv[1]);
  return 0;
}
