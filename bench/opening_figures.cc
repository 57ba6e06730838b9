// Opening a log of many sealed segments whose files lie in the page cache: time, and bytes read.
#include <fmt/format.h>

#include <cstdint>
#include <fstream>
#include <string>

#include "figures.h"
#include "filled_log.h"
#include "measuring.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace writeahead::bench {
namespace {

constexpr int kRounds = 7;
constexpr uint64_t kSegments = 1000;
constexpr uint64_t kHeaderBytes = 4096;

/// What this process has read from files until now.
uint64_t bytes_read() {
  std::ifstream counters("/proc/self/io");
  std::string name;
  uint64_t value = 0;
  while (counters >> name >> value) {
    if (name == "rchar:") return value;
  }
  return 0;
}

}  // namespace

void measure_openings(const std::string& directory) {
  print_heading(fmt::format("opening a log of {} sealed segments", kSegments));
  const std::string path = directory + "/opening";
  FilledLog filled{.path = path,
                   .segment_bytes = 64 << 10,
                   .record_bytes = 1024,
                   .batch_records = 50,
                   .lsns = {}};
  filled.add_segments(kSegments + 1);
  const auto read_headers = [&] { read_segment_files(path, kHeaderBytes); };
  Rounds for_writing, for_reading;
  uint64_t read = 0;
  for (int round = 0; round < kRounds; ++round) {
    for_writing.add(
        [&] {
          const uint64_t before = bytes_read();
          Log log = take(Log::open(path));
          read = bytes_read() - before;
          take(log.close());
        },
        read_headers);
    for_reading.add([&] { take(ReadOnlyLog::open(path)); }, read_headers);
  }
  const auto print_one = [](std::string_view name, const Rounds& rounds) {
    print({.name = std::string(name),
           .value = rounds.wall() * 1e3,
           .unit = "ms",
           .by_processor = rounds.processor() * 1e3,
           .floor = rounds.floor() * 1e3,
           .times_floor = rounds.ratio()},
          Target{Target::Kind::value_at_most, 50});
  };
  print_one("open for writing, and close", for_writing);
  print_one("open for reading", for_reading);
  // Headers, the root, and the last segment, which is scanned; the records alone are 50 times that.
  print({.name = fmt::format("bytes read by an opening, of {} MB", (kSegments << 16) / 1'000'000),
         .value = static_cast<double>(read) / 1e6,
         .unit = "MB"},
        Target{Target::Kind::value_at_most,
               static_cast<double>(kSegments * (kHeaderBytes + 512)) / 1e6});
}

}  // namespace writeahead::bench
