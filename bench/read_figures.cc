// Random point reads and replay of logs that lie in the page cache.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "figures.h"
#include "filled_log.h"
#include "measuring.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace writeahead::bench {
namespace {

constexpr int kRounds = 7;

/// The same look-ups in plain memory: an address, then the bytes that lie there.
class MemoryFloor {
 public:
  MemoryFloor(const std::vector<Lsn>& wanted, Lsn end)
      : wanted_(wanted), bytes_(end.value() + kRecord.size(), 'r') {}
  void read_all() const {
    uint64_t sum = 0;
    for (const Lsn lsn : wanted_) {
      for (size_t i = 0; i < kRecord.size(); i += sizeof(uint64_t)) {
        uint64_t word = 0;
        std::memcpy(&word, bytes_.data() + lsn.value() + i, sizeof(word));
        sum += word;
      }
    }
    if (sum == 0) give_up("nothing was read");
  }

 private:
  const std::vector<Lsn>& wanted_;
  std::string bytes_;
};

void measure_point_reads(const std::string& path) {
  constexpr size_t kReads = 2'000'000;
  FilledLog filled{.path = path,
                   .segment_bytes = 16 << 20,
                   .record_bytes = kRecord.size(),
                   .batch_records = 100,
                   .lsns = {}};
  filled.add_records(1'000'000);
  const Log log = take(Log::open(path));
  const Lsn sealed_end = log.segments().back().base_lsn;
  std::mt19937_64 random(1);
  const auto choose = [&](auto is_wanted) {
    std::vector<Lsn> lsns = filled.lsns;
    std::erase_if(lsns, [&](Lsn lsn) { return !is_wanted(lsn); });
    std::vector<Lsn> wanted(kReads);
    for (Lsn& lsn : wanted) lsn = lsns[random() % lsns.size()];
    return wanted;
  };
  const auto read_all = [&](const std::vector<Lsn>& wanted) {
    uint64_t bytes = 0;
    for (const Lsn lsn : wanted) bytes += take(log.read(lsn)).payload.size();
    if (bytes != wanted.size() * kRecord.size()) give_up("something else was read");
  };
  const auto sealed = choose([&](Lsn lsn) { return lsn < sealed_end; });
  const MemoryFloor floor(sealed, log.end_lsn());
  read_all(sealed);  // Reads the segments in.
  const size_t threads = std::max(1U, std::thread::hardware_concurrency());
  Rounds one, together;
  for (int round = 0; round < kRounds; ++round) {
    one.add([&] { read_all(sealed); }, [&] { floor.read_all(); });
    together.add_alone([&] {
      std::vector<std::jthread> readers;
      readers.reserve(threads);
      for (size_t i = 0; i < threads; ++i) readers.emplace_back([&] { read_all(sealed); });
    });
  }
  print_rate("random point reads, 64 bytes, sealed segments", one, kReads / 1e6, "M/s", 3.0);
  print_rate(fmt::format("the same by {} threads together", threads), together,
             static_cast<double>(threads) * kReads / 1e6, "M/s");
}

/// Whole logs, each time by a fresh opening, so that the first use of each segment, which compares
/// all of it with its successor's link, is part of it; and once more.
void measure_replay(const std::string& path, uint64_t record_bytes) {
  FilledLog filled{.path = path,
                   .segment_bytes = 64 << 20,
                   .record_bytes = record_bytes,
                   .batch_records = (64 << 10) / record_bytes,
                   .lsns = {}};
  filled.add_segments(6);
  Rounds first, again;
  for (int round = 0; round < kRounds; ++round) {
    const auto log = take(ReadOnlyLog::open(path));
    const auto replay = [&] {
      uint64_t bytes = 0;
      for (auto& record : log.reader(log.first_lsn())) {
        if (!record) give_up(record.error().message());
        bytes += record->payload.size();
      }
      if (bytes != filled.lsns.size() * record_bytes) give_up("the replay is not complete");
    };
    const auto read_files = [&] { read_segment_files(path, std::numeric_limits<uint64_t>::max()); };
    first.add(replay, read_files);
    again.add(replay, read_files);
  }
  const auto records = static_cast<double>(filled.lsns.size());
  const double gigabytes = records * static_cast<double>(record_bytes) / 1e9;
  const bool is_large = record_bytes >= 1024;
  const auto print_one = [&](std::string_view which, const Rounds& rounds) {
    print_rate(fmt::format("replay {}, records of {} bytes", which, record_bytes), rounds,
               gigabytes, "GB/s", is_large ? std::optional(1.5) : std::nullopt);
    print_rate(fmt::format("replay {}, records of {} bytes", which, record_bytes), rounds,
               records / 1e6, "M/s");
  };
  print_one("after opening", first);
  print_one("again", again);
}

}  // namespace

void measure_reads(const std::string& directory) {
  print_heading("reads from the page cache");
  measure_point_reads(directory + "/points");
  measure_replay(directory + "/replay_1024", 1024);
  measure_replay(directory + "/replay_64", 64);
}

}  // namespace writeahead::bench
