// One thread that does not wait: as many records as the device takes, small ones and large ones.
#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <expected>
#include <fstream>
#include <mutex>
#include <optional>
#include <string>

#include "bench/device_floor.h"
#include "bench/filled_log.h"
#include "bench/payload.h"
#include "bench/scenario.h"
#include "bench/stopwatch.h"
#include "bench/taking.h"
#include "writeahead/log.h"

namespace wal::bench {

using writeahead::Error;
using writeahead::Log;
using writeahead::Lsn;
using writeahead::Options;
using writeahead::Result;
using writeahead::Stats;

namespace {

/// What this process has given to devices until now, if the system says that.
std::optional<uint64_t> device_bytes_written() {
  std::ifstream counters("/proc/self/io");
  std::string name;
  uint64_t value = 0;
  while (counters >> name >> value) {
    if (name == "write_bytes:") {
      return value;
    }
  }
  return std::nullopt;
}

/// How many are done, and a thread that waits for that. It outlives the log: a callback looks at it
/// once more when the last one it waited for was counted.
class DoneCount {
 public:
  void add(const Result<Lsn>& result) {
    if (!result) {
      const std::lock_guard lock(mutex_);
      if (!error_) {
        error_ = result.error();
      }
    }
    if (done_.fetch_add(1) + 1 == awaited_.load()) {
      const std::lock_guard lock(mutex_);
      reached_.notify_one();
    }
  }
  /// Returns once `count` are done; only one thread waits. It sleeps: to look each time that one is
  /// done would slow down whoever counts.
  void await(uint64_t count) {
    awaited_.store(count);
    std::unique_lock lock(mutex_);
    reached_.wait(lock, [&] { return get() >= count; });
  }
  [[nodiscard]] uint64_t get() const { return done_.load(); }
  /// The first error of all; success if there was none.
  [[nodiscard]] Result<void> outcome() const {
    const std::lock_guard lock(mutex_);
    return error_ ? Result<void>(std::unexpected(*error_)) : Result<void>{};
  }

 private:
  alignas(64) std::atomic<uint64_t> done_ = 0;
  alignas(64) std::atomic<uint64_t> awaited_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable reached_;
  std::optional<Error> error_;
};

struct Stream {
  uint64_t record_bytes;
  uint64_t records;
  uint64_t in_flight;
  bool recycles;
  Options options;
};

class Streaming final : public Scenario {
 public:
  Streaming(const Place& place, const Stream& stream)
      : directory_(place.directory),
        stream_(stream),
        records_(place.scaled(stream.records)),
        floor_bytes_(place.scaled(kFloorBytes)),
        payload_(payload_of(stream.record_bytes)),
        log_(take(Log::open(place.directory + "/log", stream.options))) {
    append_all();
  }

  Measurement run() override {
    Measurement result;
    const Stats before = log_.stats();
    const auto device_before = device_bytes_written();
    const Stopwatch time;
    append_all();
    const double seconds = time.seconds();
    const double cpu_seconds = time.cpu_seconds();
    const auto device_after = device_bytes_written();
    const Stats after = log_.stats();
    const auto payload_bytes = static_cast<double>(records_ * stream_.record_bytes);
    const auto frames = static_cast<double>(after.frames - before.frames);
    const auto frame_bytes = static_cast<double>(after.frame_bytes - before.frame_bytes);
    result.set_work({.records = records_,
                     .record_bytes = stream_.record_bytes,
                     .seconds = seconds,
                     .cpu_seconds = cpu_seconds});
    result.set("mean_group", static_cast<double>(records_) / frames);
    result.set("barriers_per_second", frames / seconds);
    result.set("recycled_segments", static_cast<double>(after.recycled - before.recycled));
    if (device_before && device_after) {
      result.set("write_amplification",
                 static_cast<double>(*device_after - *device_before) / payload_bytes);
    }
    // What the device takes of the log's own bytes, in pieces as large as pay.
    result.set("floor.bytes_per_second", best_bandwidth(directory_, kPieceBytes, floor_bytes_));
    result.set("floor.records_per_second",
               result.get("floor.bytes_per_second") * static_cast<double>(records_) / frame_bytes);
    result.set_ratio("rate_to_floor", "records_per_second", "floor.records_per_second");
    return result;
  }

 private:
  static constexpr uint64_t kFloorBytes = 128 << 20;
  static constexpr uint64_t kPieceBytes = 1 << 20;

  void append_all() {
    const uint64_t trim_each = std::max<uint64_t>(records_ / 32, stream_.in_flight);
    const uint64_t end = appended_ + records_;
    while (appended_ < end) {
      // Half of them at once: waiting for each single one would be a wake-up for each.
      if (appended_ - done_.get() == stream_.in_flight) {
        done_.await(appended_ - stream_.in_flight / 2);
      }
      if (stream_.recycles && appended_ % trim_each == 0) {
        trim_sealed(log_);
      }
      log_.append_async(payload_, [this](const Result<Lsn>& lsn) { done_.add(lsn); });
      ++appended_;
    }
    done_.await(end);
    take(done_.outcome());
    trim_sealed(log_);
  }

  const std::string directory_;
  const Stream stream_;
  const uint64_t records_;
  const uint64_t floor_bytes_;
  const std::string payload_;
  uint64_t appended_ = 0;
  DoneCount done_;
  Log log_;
};

}  // namespace

std::vector<ScenarioKind> stream_scenarios() {
  const Target rate{"rate_to_floor", Target::Kind::at_least, 0.7, "rate to the device's"};
  const auto make = [](const Stream& stream) {
    return [stream](const Place& place) { return std::make_unique<Streaming>(place, stream); };
  };
  const Options small_segments{.segment_bytes = 16 << 20, .standby_segments = 4};
  return {
      {.name = "in_flight",
       .what = "one thread, 10,000 of 64 bytes in flight, recycled segments",
       .targets = {rate},
       .make = make({.record_bytes = 64,
                     .records = 1'000'000,
                     .in_flight = 10'000,
                     .recycles = true,
                     .options = small_segments})},
      {.name = "in_flight_fresh",
       .what = "the same with segments that are made meanwhile",
       .targets = {},
       .make = make({.record_bytes = 64,
                     .records = 1'000'000,
                     .in_flight = 10'000,
                     .recycles = false,
                     .options = {}})},
      {.name = "large_in_flight",
       .what = "one thread, 3 of 1 MiB in flight, recycled segments",
       .targets = {{"rate_to_floor", Target::Kind::at_least, 0.9, "rate to the device's"}},
       .make = make({.record_bytes = 1 << 20,
                     .records = 256,
                     .in_flight = 3,
                     .recycles = true,
                     .options = small_segments})},
  };
}

}  // namespace wal::bench
