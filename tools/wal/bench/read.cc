// Reading from the page cache: single records at random, and whole logs from first to last.
#include <xxhash.h>

#include <algorithm>
#include <optional>
#include <random>
#include <span>

#include "bench/filled_log.h"
#include "bench/mapped_log.h"
#include "bench/scenario.h"
#include "bench/stopwatch.h"
#include "bench/taking.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace wal::bench {

using writeahead::Log;
using writeahead::Lsn;
using writeahead::ReadOnlyLog;

namespace {

class PointReads final : public Scenario {
 public:
  /// So many in a call.
  PointReads(const Place& place, size_t together)
      : path_(place.directory + "/log"), together_(together) {
    const std::vector<Lsn> lsns = fill_log(
        path_, {.segment_bytes = 16 << 20, .record_bytes = kRecordBytes, .frame_records = 100},
        place.scaled(kRecords));
    log_.emplace(take(Log::open(path_)));
    mapped_.emplace(path_);
    std::mt19937_64 random(1);
    wanted_.resize(lsns.size());
    for (Lsn& lsn : wanted_) {
      lsn = lsns[random() % lsns.size()];
    }
    (void)read_all();  // The first look at a segment compares all of it with its seal.
  }

  Measurement run() override {
    Measurement result;
    const Clock bare;
    hash_sum_ += hash_all();
    const double bare_seconds = bare.seconds();
    const Stopwatch time;
    require(read_all() == wanted_.size() * kRecordBytes, "something else was read");
    result.set_work({.records = wanted_.size(),
                     .record_bytes = kRecordBytes,
                     .seconds = time.seconds(),
                     .cpu_seconds = time.cpu_seconds()});
    result.set("floor.records_per_second", static_cast<double>(wanted_.size()) / bare_seconds);
    result.set_ratio("rate_to_floor", "records_per_second", "floor.records_per_second");
    return result;
  }

 private:
  static constexpr uint64_t kRecords = 1'000'000;
  static constexpr uint64_t kRecordBytes = 64;
  static constexpr uint64_t kHeaderBytes = 16;

  [[nodiscard]] uint64_t read_all() const {
    uint64_t bytes = 0;
    if (together_ == 1) {
      for (const Lsn lsn : wanted_) {
        bytes += take(log_->read(lsn)).payload.size();
      }
      return bytes;
    }
    for (std::span<const Lsn> left = wanted_; !left.empty();) {
      const auto lsns = left.first(std::min(together_, left.size()));
      left = left.subspan(lsns.size());
      for (const auto& record : log_->read_many(lsns)) {
        require(record.has_value(), "a record was not found");
        bytes += record->payload.size();
      }
    }
    return bytes;
  }
  /// The same records, without a log.
  [[nodiscard]] uint64_t hash_all() const {
    uint64_t sum = 0;
    for (const Lsn lsn : wanted_) {
      const auto record = mapped_->at(lsn, kHeaderBytes + kRecordBytes);
      sum += ::XXH3_64bits(record.data(), record.size());
    }
    return sum;
  }

  const std::string path_;
  const size_t together_;
  std::optional<Log> log_;
  std::optional<MappedLog> mapped_;
  std::vector<Lsn> wanted_;
  uint64_t hash_sum_ = 0;  // so that the floor is not left out
};

/// Each time by a fresh opening, so that what the first use of a segment costs is part of it.
class Replay final : public Scenario {
 public:
  Replay(const Place& place, uint64_t record_bytes, uint64_t records)
      : path_(place.log()), record_bytes_(record_bytes), records_(place.scaled(records)) {
    (void)fill_log(path_,
                   {.segment_bytes = 64 << 20,
                    .record_bytes = record_bytes,
                    .frame_records = (64 << 10) / record_bytes},
                   records_);
    if (!place.is_address) {
      mapped_.emplace(path_);
    }
  }

  Measurement run() override {
    Measurement result;
    const Clock bare;
    hash_sum_ += mapped_ ? mapped_->hash_all() : 0;
    const double bare_seconds = bare.seconds();
    const Stopwatch time;
    const auto log = take(ReadOnlyLog::open(path_));
    uint64_t bytes = 0;
    for (auto& record : log.reader(log.first_lsn())) {
      if (!record) {
        throw NotMeasured(failure_of(record.error()).error());
      }
      bytes += record->payload.size();
    }
    require(bytes == records_ * record_bytes_, "the replay is not complete");
    result.set_work({.records = records_,
                     .record_bytes = record_bytes_,
                     .seconds = time.seconds(),
                     .cpu_seconds = time.cpu_seconds()});
    if (mapped_) {
      result.set("floor.records_per_second", static_cast<double>(records_) / bare_seconds);
      result.set_ratio("rate_to_floor", "records_per_second", "floor.records_per_second");
    }
    return result;
  }

 private:
  const std::string path_;
  const uint64_t record_bytes_;
  const uint64_t records_;
  std::optional<MappedLog> mapped_;
  uint64_t hash_sum_ = 0;
};

}  // namespace

std::vector<ScenarioKind> read_scenarios() {
  return {
      {.name = "point_reads",
       .what = "random reads of 64 bytes out of 1,000,000 in the page cache",
       .targets = {{"rate_to_floor", Target::Kind::at_least, 0.7,
                    "rate to hashing the same records from a mapping"}},
       .make = [](const Place& place) { return std::make_unique<PointReads>(place, 1); }},
      {.name = "read_many",
       .what = "the same, 100 addresses in a call",
       .targets = {{"rate_to_floor", Target::Kind::at_least, 0.7,
                    "rate to hashing the same records from a mapping"}},
       .make = [](const Place& place) { return std::make_unique<PointReads>(place, 100); }},
      {.name = "replay_64",
       .what = "opening and reading all, 64 bytes",
       .targets = {{"records_per_second", Target::Kind::at_least, 60e6, "records a second"}},
       .make = [](const Place& place) { return std::make_unique<Replay>(place, 64, 2'000'000); },
       .takes_address = true},
      {.name = "replay_1k",
       .what = "opening and reading all, 1 KiB",
       .targets = {{"rate_to_floor", Target::Kind::at_least, 0.7,
                    "rate to hashing the same mapped bytes once"}},
       .make = [](const Place& place) { return std::make_unique<Replay>(place, 1 << 10, 200'000); },
       .takes_address = true},
  };
}

}  // namespace wal::bench
