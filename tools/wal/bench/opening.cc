// Opening a large log, and what an open one keeps in memory. Each is looked at in a child, whose
// memory is nobody else's.
#include <fmt/format.h>
#include <malloc.h>
#include <sys/wait.h>  // style-ok(system): children of the command
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <functional>
#include <string>

#include "bench/filled_log.h"
#include "bench/payload.h"
#include "bench/scenario.h"
#include "bench/stopwatch.h"
#include "bench/taking.h"
#include "writeahead/log.h"

namespace wal::bench {

using writeahead::Durability;
using writeahead::Log;
using writeahead::Lsn;

namespace {

constexpr double kMiB = 1 << 20;

/// Memory of this process that no file stands behind, in bytes.
double own_memory() {
  std::ifstream status("/proc/self/status");
  std::string word;
  double kilobytes = 0;
  while (status >> word) {
    if (word == "RssAnon:" && status >> kilobytes) {
      return kilobytes * 1024;
    }
  }
  return 0;
}

using Numbers = std::array<double, 3>;
using Tell = std::function<void(const Numbers&)>;

/// What `work` tells in a child of this process, which ends with that: nothing is closed.
Numbers ask_child(const std::function<void(const Tell&)>& work) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) {
    throw NotMeasured(system_failure("make a pipe", errno).error());
  }
  const pid_t child = ::fork();
  if (child < 0) {
    throw NotMeasured(system_failure("fork", errno).error());
  }
  if (child == 0) {
    try {
      work([&](const Numbers& numbers) {
        (void)!::write(ends[1], numbers.data(), sizeof(numbers));
        ::_exit(0);
      });
    } catch (const NotMeasured& stopped) {
      print(stopped.failure());
    }
    ::_exit(1);
  }
  (void)::close(ends[1]);
  Numbers numbers{};
  const ssize_t count = ::read(ends[0], numbers.data(), sizeof(numbers));
  (void)::close(ends[0]);
  (void)::waitpid(child, nullptr, 0);
  if (count != sizeof(numbers)) {
    throw NotMeasured({ExitCode::environment, "measure in a child process: it failed"});
  }
  return numbers;
}

/// Sealed segments, and a last one whose end nothing proves: what a killed writer leaves.
class Opening final : public Scenario {
 public:
  explicit Opening(const Place& place)
      : path_(place.directory + "/log"), tail_bytes_(place.scaled(kTailBytes)) {
    const uint64_t segments = place.scaled(kSegments);
    // In a child, whose memory goes with it.
    (void)ask_child([&](const Tell& tell) {
      fill_segments(path_, {.segment_bytes = 8 << 10, .record_bytes = 1 << 10, .frame_records = 3},
                    segments);
      tell({});
    });
  }

  Measurement run() override {
    Measurement result;
    write_tail();
    const Numbers numbers = ask_child([this](const Tell& tell) {
      ::malloc_trim(0);
      const double before = own_memory();
      const Stopwatch time;
      const auto log = take(Log::open(path_));
      tell({time.seconds(), time.cpu_seconds(), own_memory() - before});
    });
    // The tail is read at the speed that the target grants.
    constexpr double kTailBytesPerSecond = 2e9;
    result.set("seconds", numbers[0]);
    result.set("cpu_seconds", numbers[1]);
    result.set("open_ms", numbers[0] * 1e3);
    result.set("open_ms_without_tail",
               (numbers[0] - static_cast<double>(tail_bytes_) / kTailBytesPerSecond) * 1e3);
    result.set("memory_mib", numbers[2] / kMiB);
    return result;
  }

 private:
  static constexpr uint64_t kSegments = 10'000;
  static constexpr uint64_t kTailBytes = 64 << 20;
  static constexpr uint64_t kTailRecordBytes = 16 << 10;

  /// A segment more, full, and left as by a killed writer: what an opening proved is no such tail.
  void write_tail() {
    (void)ask_child([this](const Tell& tell) {
      Log log = take(Log::open(path_, {.segment_bytes = kTailBytes, .standby_segments = 0}));
      const std::string payload = payload_of(kTailRecordBytes);
      const auto append = [&] {
        return take(log.append(payload, {.durability = Durability::written}));
      };
      // By addresses: frames take more than their records, and one too many begins another segment.
      const Lsn first = append();
      for (Lsn last = first; (last - first) + 3 * kTailRecordBytes < tail_bytes_;) {
        last = append();
      }
      take(log.sync());
      tell({});
    });
  }

  const std::string path_;
  const uint64_t tail_bytes_;
};

/// What a log keeps that is open and has nothing to do, after appends of each size.
class Idle final : public Scenario {
 public:
  explicit Idle(const Place& place) : path_(place.directory + "/log") {}

  Measurement run() override {
    Measurement result;
    const Numbers numbers = ask_child([this](const Tell& tell) {
      ::malloc_trim(0);
      const double before = own_memory();
      Log log = take(Log::open(path_));
      for (uint64_t bytes = 64; bytes <= kLargestBytes; bytes *= 4) {
        take(log.append(payload_of(bytes)));
      }
      tell({own_memory() - before, 0, 0});
    });
    result.set("memory_mib", numbers[0] / kMiB);
    return result;
  }

 private:
  static constexpr uint64_t kLargestBytes = 64 << 10;
  const std::string path_;
};

}  // namespace

std::vector<ScenarioKind> opening_scenarios() {
  using enum Target::Kind;
  return {
      {.name = "open_10k",
       .what = "opening 10,000 sealed segments and a full tail of 64 MiB",
       .targets = {{"open_ms_without_tail", at_most, 60, "ms, but for the tail at 2 GB/s"},
                   {"memory_mib", at_most, 16, "MiB of memory"}},
       .make = [](const Place& place) { return std::make_unique<Opening>(place); }},
      {.name = "idle",
       .what = "an open log that has nothing to do",
       .targets = {{"memory_mib", at_most, 1.5, "MiB of memory"}},
       .make = [](const Place& place) { return std::make_unique<Idle>(place); }},
  };
}

}  // namespace wal::bench
