// Appends of 64 bytes that a thread waits for: durable by one thread, with and without rotations,
// and by several together; then the weaker levels.
#include <fmt/format.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

#include "device_floor.h"
#include "figures.h"
#include "measuring.h"
#include "writeahead/log.h"

namespace writeahead::bench {
namespace {

constexpr int kRounds = 9;
constexpr int kAppendsPerRound = 200;

double append_us(Log& log, Durability durability = Durability::durable) {
  const Stopwatch time;
  take(log.append(kRecord, {.durability = durability}));
  return time.wall() * 1e6;
}

/// A latency beside its floor's, round by round.
class Latencies {
 public:
  void add_round(const std::vector<double>& floor_us, const std::vector<double>& us) {
    for (size_t i = 0; i < kShares.size(); ++i) {
      floor_[i].push_back(percentile(floor_us, kShares[i]));
      value_[i].push_back(percentile(us, kShares[i]));
      ratio_[i].push_back(value_[i].back() / floor_[i].back());
    }
  }
  void print(std::string_view name, std::optional<double> at_most) const {
    constexpr std::array kNames{"p50", "p99"};
    for (size_t i = 0; i < kShares.size(); ++i) {
      const bool has_target = at_most && i == 0;
      bench::print({.name = fmt::format("{}, {}", name, kNames[i]),
                    .value = median(value_[i]),
                    .unit = "us",
                    .floor = median(floor_[i]),
                    .times_floor = median(ratio_[i])},
                   has_target ? std::optional(Target{Target::Kind::times_floor_at_most, *at_most})
                              : std::nullopt);
    }
  }

 private:
  static constexpr std::array kShares{0.5, 0.99};
  std::array<std::vector<double>, kShares.size()> value_, floor_, ratio_;
};

void measure_one_writer(const std::string& path, DeviceFloor& floor) {
  Log log = take(Log::open(path, {.segment_bytes = 16 << 20, .standby_segments = 0}));
  append_us(log);  // Prepares the segment, which is no part of what is measured.
  Latencies durable, written, buffered;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> floor_us, us, cached_us, written_us, buffered_us;
    for (int i = 0; i < kAppendsPerRound; ++i) {
      floor_us.push_back(floor.write_block());
      us.push_back(append_us(log));
    }
    durable.add_round(floor_us, us);
    for (int i = 0; i < kAppendsPerRound; ++i) {
      cached_us.push_back(floor.write_block_cached());
      written_us.push_back(append_us(log, Durability::written));
      buffered_us.push_back(append_us(log, Durability::buffered));
    }
    written.add_round(cached_us, written_us);
    buffered.add_round(cached_us, buffered_us);
    take(log.sync());
  }
  durable.print("durable, one writer", 1.15);
  written.print("written, one writer", std::nullopt);
  buffered.print("buffered, one writer", std::nullopt);
  take(log.close());
}

/// Appends that begin a segment, with the others as their floor.
void measure_rotations(const std::string& path, std::string_view name, const Options& options) {
  Log log = take(Log::open(path, options));
  Latencies rotating;
  uint64_t segments = log.stats().segments_opened;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> with, without;
    while (with.size() < kAppendsPerRound / 4) {
      const double us = append_us(log);
      const uint64_t opened = log.stats().segments_opened;
      (opened == segments ? without : with).push_back(us);
      segments = opened;
    }
    // The first one made its segment itself.
    if (round != 0) rotating.add_round(without, with);
    // Space comes back as it would at a trimming consumer's.
    take(log.trim_before(log.segments().back().base_lsn));
  }
  rotating.print(name, 1.5);
  take(log.close());
}

void measure_groups(const std::string& path) {
  constexpr std::array<size_t, 4> kThreadCounts{1, 2, 8, 64};
  constexpr int kAppendsPerThread = 200;
  Log log = take(Log::open(path, {.segment_bytes = 64 << 20, .standby_segments = 0}));
  append_us(log);
  std::array<Rounds, kThreadCounts.size()> rounds;
  std::array<std::vector<double>, kThreadCounts.size()> groups;
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < kThreadCounts.size(); ++i) {
      const Stats before = log.stats();
      rounds[i].add_alone([&] {
        std::vector<std::jthread> writers;
        writers.reserve(kThreadCounts[i]);
        for (size_t thread = 0; thread < kThreadCounts[i]; ++thread) {
          writers.emplace_back([&log] {
            for (int n = 0; n < kAppendsPerThread; ++n) append_us(log);
          });
        }
      });
      const Stats after = log.stats();
      groups[i].push_back(static_cast<double>(after.records - before.records) /
                          static_cast<double>(after.frames - before.frames));
    }
  }
  const double one_rate = kAppendsPerThread / rounds[0].wall();
  for (size_t i = 0; i < kThreadCounts.size(); ++i) {
    const double rate =
        static_cast<double>(kAppendsPerThread * kThreadCounts[i]) / rounds[i].wall();
    print({.name = fmt::format("{} writers, mean group {:.1f}, {:.1f} x one", kThreadCounts[i],
                               median(groups[i]), rate / one_rate),
           .value = rate / 1e3,
           .unit = "k/s"},
          kThreadCounts[i] == 64
              ? std::optional(Target{Target::Kind::value_at_least, 12 * one_rate / 1e3})
              : std::nullopt);
  }
  take(log.close());
}

}  // namespace

void measure_appends(const std::string& directory, DeviceFloor& floor) {
  print_heading("appends of 64 bytes");
  measure_one_writer(directory + "/one_writer", floor);
  measure_rotations(directory + "/aligned", "a rotation every 4, to the appends between",
                    {.segment_bytes = 5 * kBlockBytes, .frame_alignment = kBlockBytes});
  measure_rotations(directory + "/packed", "a rotation every 24, to the appends between",
                    {.segment_bytes = 2 * kBlockBytes});
  measure_groups(directory + "/groups");
}

}  // namespace writeahead::bench
