// A directory that is nothing but the input, opened in every way that there is.
//
// Goal: no content of a directory crashes the library, or costs more memory or time than its size
// allows; what is read twice is the same; who only reads, or is refused, changes nothing; what was
// appended to whatever was there is read back. Method: the first byte says what is done beside
// reading, the second how, the rest is an image of the directory.
#include <fmt/format.h>
#include <xxhash.h>

#include <optional>
#include <string>
#include <vector>

#include "format/checksum.h"
#include "fuzz/allocation_watch.h"
#include "fuzz/defect.h"
#include "fuzz/disk_image.h"
#include "fuzz/targets.h"
#include "support/log_path.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/salvage.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

constexpr uint64_t kDirectoryFreeBytes = 1ULL << 20;
constexpr size_t kMaxLookups = 6;

/// Whether bytes that were made up do not verify.
bool checksums_count() {
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  return !::writeahead::internal::is_every_checksum_right;
#else
  return true;
#endif
}

struct ReadRecord {
  Lsn lsn;
  uint64_t ordinal = 0;
  uint64_t time_ns = 0;
  uint64_t hash = 0;  // Of type and payload.
  friend bool operator==(const ReadRecord&, const ReadRecord&) = default;
};

/// All that was read, and the error that it ended with.
struct WholeReading {
  std::vector<ReadRecord> records;
  std::optional<ErrorCode> code;
  friend bool operator==(const WholeReading&, const WholeReading&) = default;
};

template <class Readable>
WholeReading read_whole(const Readable& log) {
  WholeReading reading;
  for (auto& record : log.reader(log.first_lsn())) {
    if (!record) {
      reading.code = record.error().code();
      break;
    }
    const auto hash =
        XXH3_64bits_withSeed(record->payload.data(), record->payload.size(), record->type);
    reading.records.push_back({record->lsn, record->ordinal, record->time_ns, hash});
  }
  return reading;
}

/// Single records by every way to them; what they answer has to be what was read.
template <class Readable>
void look_up(const Readable& log, const WholeReading& reading) {
  static_cast<void>(log.last());
  static_cast<void>(log.find_time(0));
  static_cast<void>(log.find_ordinal(UINT64_MAX));
  static_cast<void>(log.read(Lsn(UINT64_MAX)));
  const auto& all = reading.records;
  for (size_t i = 0; i < all.size() && i < kMaxLookups; ++i) {
    const ReadRecord& record = i % 2 == 0 ? all[i] : all[all.size() - i];
    const auto read = log.read(record.lsn);
    const auto lsn = log.find_ordinal(record.ordinal);
    static_cast<void>(log.find_time(record.time_ns));
    if (!checksums_count()) continue;
    demand(read && read->ordinal == record.ordinal, "read() finds another record");
    demand(lsn && *lsn == record.lsn, "find_ordinal() finds another record");
  }
}

class DirectoryCourse {
 public:
  DirectoryCourse(const SimDisk& disk, uint8_t what, uint8_t how)
      : disk_(disk), what_(what), how_(how) {}

  void run() {
    {
      const AllocationWatch watch;
      only_read();
      watch.demand_bounded_by(largest_file_of(disk_), "reading");
    }
    write();
    if ((what_ & 1) != 0) rescue();
    if ((what_ & 2) != 0) destroy();
  }

 private:
  [[nodiscard]] SimEnvOptions machine() const {
    return {.refuses_direct = (how_ & 1) != 0, .trace_calls = 0};
  }
  [[nodiscard]] Options options(SimEnv& env) const {
    Options options{.max_record_bytes = 1ULL << 16,
                    .segment_bytes = (how_ & 2) != 0 ? 4608U : 8192U,
                    .map_segments = (how_ & 4) == 0,
                    .standby_segments = (how_ & 8) != 0 ? 1 : 0,
                    .env = &env,
                    .background = BackgroundWork::stepped};
    if ((how_ & 16) != 0) options.frame_alignment = 512;
    if ((how_ & 32) != 0) options.retain_segments = 1;
    if ((how_ & 64) != 0) options.sync_method = SyncMethod::fdatasync;
    return options;
  }

  void only_read() {
    SimEnv env(disk_, machine());
    const ReadOnlyOptions options{.map_segments = (how_ & 4) == 0, .env = &env};
    const auto report = ReadOnlyLog::verify(kLogPath, options);
    auto log = ReadOnlyLog::open(kLogPath, options);
    if (log) {
      seen_ = read_whole(*log);
      look_up(*log, *seen_);
      static_cast<void>(log->refresh());
      demand(read_whole(*log) == *seen_, "a log is read differently the second time");
      auto again = ReadOnlyLog::open(kLogPath, options);
      demand(again && read_whole(*again) == *seen_, "a log opened again is read differently");
    }
    demand(env.disk().shows_same_as(disk_), "a reader wrote");
  }

  void write() {
    SimEnv env(disk_, machine());
    env.set_free_bytes(kDirectoryFreeBytes);
    std::optional<WholeReading> expected;
    {
      auto log = open_watched(env);
      if (!log) return;
      WholeReading before = read_whole(*log);
      check_against_seen(before);
      look_up(*log, before);
      const bool is_changed = change(*log, before);
      for (int i = 0; i < 16 && log->step_background(); ++i) {
      }
      const auto appended = log->append("appended to what was there", append_options());
      if (appended && !is_changed && !before.code) expected = read_whole(*log);
      if (!log->close()) expected.reset();
    }
    if (!expected || !checksums_count()) return;
    auto log = Log::open(kLogPath, options(env));
    demand(log.has_value(), "a log that was closed does not open");
    demand(read_whole(*log) == *expected, "what was appended is not read back");
  }

  /// The log may know the producer, and even this number of it.
  [[nodiscard]] AppendOptions append_options() const {
    if ((how_ & 128) == 0) return {};
    return {.producer_number = ProducerNumber{.producer = what_ % 3U, .number = UINT64_MAX}};
  }

  Result<Log> open_watched(SimEnv& env) {
    const AllocationWatch watch;
    auto log = Log::open(kLogPath, options(env));
    watch.demand_bounded_by(largest_file_of(disk_), "opening");
    if (!log && checksums_count() && log.error().code() == ErrorCode::corruption) {
      demand(env.disk().shows_same_as(disk_),
             fmt::format("a refused opening wrote: {}", log.error().message()));
    }
    return log;
  }

  /// Where no control page claims anything, a reader and the owner see the same.
  void check_against_seen(const WholeReading& reading) const {
    const bool has_page = disk_.contents(std::string(kLogPath) + "/control").has_value();
    if (!seen_ || has_page || !checksums_count()) return;
    demand(seen_->code || reading.code || *seen_ == reading, "readers and the owner see different");
  }

  /// Takes something away, if the input says so.
  bool change(Log& log, const WholeReading& reading) const {
    const auto& all = reading.records;
    const Lsn middle = all.empty() ? log.end_lsn() : all[all.size() / 2].lsn;
    if ((what_ & 4) != 0) static_cast<void>(log.hold("somebody", middle));
    if ((what_ & 8) != 0) static_cast<void>(log.trim_before(middle));
    if ((what_ & 16) != 0) static_cast<void>(log.truncate_from(middle));
    return (what_ & 28) != 0;
  }

  void rescue() const {
    SimEnv env(disk_, machine());
    env.set_free_bytes(kDirectoryFreeBytes);
    const auto report = salvage(kLogPath, "/rescued", {.env = &env});
    if (!report) return;
    auto log = ReadOnlyLog::open("/rescued", {.env = &env});
    demand(log || !checksums_count(), "what a salvage made does not open");
    if (!log) return;
    const WholeReading reading = read_whole(*log);
    demand(!checksums_count() || (!reading.code && reading.records.size() == report->records),
           "what a salvage made is not what it reports");
  }

  void destroy() const {
    SimEnv env(disk_, machine());
    const auto destroyed = Log::destroy(kLogPath, options(env));
    auto log = ReadOnlyLog::open(kLogPath, {.env = &env});
    demand(!destroyed || !log, "a log that was destroyed opens");
  }

  const SimDisk& disk_;
  const uint8_t what_;
  const uint8_t how_;
  std::optional<WholeReading> seen_;  // By a reader, if it could open it.
};

}  // namespace

void fuzz_directory(FuzzBytes bytes) {
  Input input(bytes);
  const uint8_t what = input.byte();
  const uint8_t how = input.byte();
  const SimDisk disk = read_disk_image(input);
  DirectoryCourse(disk, what, how).run();
}

}  // namespace writeahead::testing
