// append_trim_soak DIR SECONDS [SEED]: appends and trims on a real disk for so long, and shows that
// nothing grows: not the space on the disk, not the memory, not the descriptors.
//
// Four writers append records of all levels and sizes at a steady pace. A consumer verifies each of
// them, and trims behind itself. The log is closed and opened again on the way. Prints a line a
// minute; exits with 1 if a bound was passed, or a record was wrong or missing.
#include <fmt/format.h>
#include <malloc.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/marked_payload.h"
#include "writeahead/log.h"

namespace writeahead::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kWriters = 4;
constexpr uint64_t kOpenings = 6;
constexpr auto kPause = std::chrono::milliseconds(4);  // Of a writer, between its appends.
constexpr uint64_t kSegmentBytes = 1 << 20;
constexpr uint64_t kStandbys = 2;
// The consumer trims when there are so many segments, and leaves half of them.
constexpr uint64_t kMostSegments = 16;
// Standbys, trimmed files beside them, what is being made, and a consumer that is a little late.
constexpr uint64_t kMostDiskBytes = (kMostSegments + 2 * kStandbys + 4) * kSegmentBytes;

[[noreturn]] void give_up(std::string_view what) {
  fmt::print(stderr, "append_trim_soak: {}\n", what);
  std::_Exit(1);
}

template <class T>
T take(Result<T> result) {
  if (!result) give_up(result.error().message());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

/// What the process has, and its log on the disk.
struct Use {
  uint64_t disk_bytes = 0;    // Blocks that are allocated, which is not the sum of the sizes.
  uint64_t memory_bytes = 0;  // Of the heap.
  uint64_t descriptors = 0;
};

Use use_of(const std::string& directory) {
  Use use;
  std::error_code ignored;  // A file may go while it is looked at.
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, ignored)) {
    struct stat facts{};
    if (::lstat(entry.path().c_str(), &facts) == 0) use.disk_bytes += facts.st_blocks * 512;
  }
  // Of what the allocator has given out, not of what it keeps for later: that depends on threads
  // and sizes more than on what is used.
  const auto heap = ::mallinfo2();
  use.memory_bytes = heap.uordblks + heap.hblkhd;
  const std::filesystem::directory_iterator descriptors("/proc/self/fd");
  use.descriptors = std::distance(begin(descriptors), end(descriptors));
  return use;
}

/// The most and the least of several looks.
struct Extremes {
  Use most;
  uint64_t least_disk_bytes = UINT64_MAX;

  void add(const Use& use) {
    most = {.disk_bytes = std::max(most.disk_bytes, use.disk_bytes),
            .memory_bytes = std::max(most.memory_bytes, use.memory_bytes),
            .descriptors = std::max(most.descriptors, use.descriptors)};
    least_disk_bytes = std::min(least_disk_bytes, use.disk_bytes);
  }
};

class AppendTrimSoak {
 public:
  AppendTrimSoak(std::string directory, std::chrono::seconds duration, uint64_t seed)
      : directory_(std::move(directory)), duration_(duration), seed_(seed) {}

  void run() {
    fmt::print("seed {}, at most {:.1f} MiB on the disk\n", seed_, mebibytes(kMostDiskBytes));
    fmt::print(
        "minute   records  segments  recycled  disk MiB, least  most    heap MiB  descriptors\n");
    for (uint64_t opening = 1; opening <= kOpenings; ++opening) {
      run_until(start_ + opening * duration_ / kOpenings);
    }
    check_growth();
    check_emptied();
  }

 private:
  static double mebibytes(uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

  void run_until(Clock::time_point end) {
    Log log = take(
        Log::open(directory_, {.segment_bytes = kSegmentBytes, .standby_segments = kStandbys}));
    std::atomic<bool> written = false;
    std::jthread consumer([&] { consume(log, written); });
    {
      std::vector<std::jthread> writers;
      for (uint64_t writer = 0; writer < kWriters; ++writer) {
        writers.emplace_back(
            [&, writer](const std::stop_token& stop) { write(log, writer, stop); });
      }
      for (; Clock::now() < end; std::this_thread::sleep_for(std::chrono::milliseconds(50))) {
        observe(log);
      }
    }
    take(log.sync());
    written = true;
    consumer.join();
    if (consumed_ != appended_) give_up("records are missing at the end");
    records_ += log.stats().records;
    segments_ += log.stats().segments_opened;
    recycled_ += log.stats().recycled;
    take(log.close());
  }

  void write(Log& log, uint64_t writer, const std::stop_token& stop) {
    std::minstd_rand random(static_cast<uint32_t>(seed_ + writer + appended_[writer]));
    constexpr std::array kLevels{Durability::durable, Durability::durable, Durability::written,
                                 Durability::buffered};
    while (!stop.stop_requested()) {
      // Mostly small ones; now and then one that fills a good part of a segment.
      const uint64_t most = random() % 64 == 0 ? kSegmentBytes / 2 : 8192;
      const Mark mark{.writer = writer,
                      .number = appended_[writer],
                      .batch_first = appended_[writer],
                      .batch_count = 1,
                      .bytes = sizeof(Mark) + random() % most};
      take(log.append(payload_of(mark), {.durability = kLevels.at(random() % kLevels.size())}));
      ++appended_[writer];
      std::this_thread::sleep_for(kPause);
    }
  }

  /// Reads until all is read that was appended before `written` was set.
  void consume(Log& log, const std::atomic<bool>& written) {
    Reader reader = log.reader(consumed_to_.value_or(log.first_lsn()));
    for (uint64_t reads = 0;; ++reads) {
      const bool is_last_look = written;
      auto record = reader.wait_next({}, std::chrono::milliseconds(20));
      if (!record && is_last_look) break;
      if (!record) continue;
      const RecordView view = take(std::move(*record));
      const auto mark = mark_of(view.payload);
      if (!mark || mark->number != consumed_[mark->writer]++) {
        give_up(fmt::format("the record at LSN {} is not the next one of its writer",
                            view.lsn.value()));
      }
      if (reads % 16 == 0) trim(log, reader.position());
    }
    consumed_to_ = reader.position();
  }

  static void trim(Log& log, Lsn consumed_to) {
    const std::vector<SegmentInfo> all = log.segments();
    std::vector<Lsn> bases;
    for (const SegmentInfo& segment : all) {
      if (segment.state != SegmentInfo::State::standby) bases.push_back(segment.base_lsn);
    }
    if (bases.size() < kMostSegments) return;
    take(log.trim_before(std::min(bases[bases.size() / 2], consumed_to)));
  }

  void observe(const Log& log) {
    const Use use = use_of(directory_);
    minute_.add(use);
    if (use.disk_bytes > kMostDiskBytes) {
      give_up(fmt::format("{:.1f} MiB on the disk", mebibytes(use.disk_bytes)));
    }
    if (Clock::now() - start_ < std::chrono::minutes(minutes_.size() + 1)) return;
    const Stats stats = log.stats();
    minutes_.push_back(minute_);
    fmt::print("{:>6} {:>9} {:>9} {:>9} {:>16.1f} {:>5.1f} {:>11.1f} {:>12}\n", minutes_.size(),
               records_ + stats.records, segments_ + stats.segments_opened,
               recycled_ + stats.recycled, mebibytes(minute_.least_disk_bytes),
               mebibytes(minute_.most.disk_bytes), mebibytes(minute_.most.memory_bytes),
               minute_.most.descriptors);
    std::fflush(stdout);
    minute_ = {};
  }

  /// The later half may not need more than the first one did; its first minute is a warm-up.
  void check_growth() const {
    if (minutes_.size() < 4) {
      fmt::print("too short to show that nothing grows\n");
      return;
    }
    Extremes early, late;
    for (size_t i = 1; i < minutes_.size(); ++i) {
      (i <= minutes_.size() / 2 ? early : late).add(minutes_[i].most);
    }
    const auto check = [](std::string_view what, uint64_t before, uint64_t after, uint64_t slack) {
      fmt::print("{}: most in the first half {}, in the second {}\n", what, before, after);
      if (after > before + slack) give_up(fmt::format("{} grew", what));
    };
    // A look may meet one segment more, and some KiB besides; what grows is more after an hour.
    check("disk bytes", early.most.disk_bytes, late.most.disk_bytes, 2 * kSegmentBytes);
    check("memory bytes", early.most.memory_bytes, late.most.memory_bytes, 8 * kSegmentBytes);
    check("descriptors", early.most.descriptors, late.most.descriptors, kStandbys);
  }

  /// What is left of a log without records: one segment, and what is prepared.
  void check_emptied() const {
    Log log = take(
        Log::open(directory_, {.segment_bytes = kSegmentBytes, .standby_segments = kStandbys}));
    take(log.trim_before(log.end_lsn()));
    take(log.close());
    const Use use = use_of(directory_);
    fmt::print("trimmed to nothing and closed: {:.1f} MiB on the disk\n",
               mebibytes(use.disk_bytes));
    if (use.disk_bytes > (2 + 2 * kStandbys) * kSegmentBytes) give_up("space did not come back");
  }

  const std::string directory_;
  const std::chrono::seconds duration_;
  const uint64_t seed_;
  const Clock::time_point start_ = Clock::now();
  std::array<uint64_t, kWriters> appended_{}, consumed_{};
  std::optional<Lsn> consumed_to_;
  uint64_t records_ = 0, segments_ = 0, recycled_ = 0;  // Of the openings before this one.
  Extremes minute_;
  std::vector<Extremes> minutes_;
};

}  // namespace
}  // namespace writeahead::test

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  if (arguments.size() < 3 || arguments.size() > 4) {
    writeahead::test::give_up("usage: append_trim_soak DIR SECONDS [SEED]");
  }
  // mallinfo2() knows of one arena only.
  if (::mallopt(M_ARENA_MAX, 1) != 1) writeahead::test::give_up("mallopt failed");
  const uint64_t seed = arguments.size() == 4 ? std::stoull(arguments[3]) : std::random_device()();
  writeahead::test::AppendTrimSoak(arguments[1], std::chrono::seconds(std::stoull(arguments[2])),
                                   seed)
      .run();
  return 0;
}
