// One writer that waits for each record, or each batch: alone, amid rotations, and while segments
// are being made beside it.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "bench/device_floor.h"
#include "bench/filled_log.h"
#include "bench/payload.h"
#include "bench/scenario.h"
#include "bench/stopwatch.h"
#include "bench/taking.h"
#include "writeahead/batch.h"
#include "writeahead/log.h"

namespace wal::bench {

using writeahead::Batch;
using writeahead::kBlockBytes;
using writeahead::Log;
using writeahead::Options;
using writeahead::Stats;

namespace {

constexpr uint64_t kAppends = 2000;
constexpr uint64_t kWarmUpAppends = 50;
constexpr uint64_t kSmall = 64;

/// The processor's time of so many appends, with all that is done for them in the background: a
/// part of them is made once more, without the floor's writes in between.
template <class Append>
double cpu_seconds_alone(uint64_t appends, const Append& append) {
  constexpr uint64_t kPart = 4;
  const uint64_t made = std::max<uint64_t>(appends / kPart, 1);
  const Stopwatch time;
  for (uint64_t i = 0; i < made; ++i) {
    append();
  }
  return time.cpu_seconds() * static_cast<double>(appends) / static_cast<double>(made);
}

/// Appends that are each followed by the same bytes without a log, in turns.
class OneWriter final : public Scenario {
 public:
  /// `batch` records an append.
  OneWriter(const Place& place, uint64_t record_bytes, uint64_t batch, uint64_t appends)
      : record_bytes_(record_bytes),
        batch_size_(batch),
        appends_(place.scaled(appends)),
        payload_(payload_of(record_bytes)),
        log_(take(Log::open(place.log(), {.segment_bytes = 64 << 20}))) {
    if (!place.is_address) {
      floor_.emplace(place.directory, batch * (record_bytes + 32) + kBlockBytes);
    }
    for (uint64_t i = 0; i < batch; ++i) {
      batch_.add(payload_);
    }
    for (uint64_t i = 0; i < kWarmUpAppends; ++i) {
      append();
    }
  }

  Measurement run() override {
    Sample sample;
    Measurement result;
    double seconds = 0;
    if (floor_) {
      await_standbys(log_);
    }
    const Stats before = log_.stats();
    for (uint64_t i = 0; i < appends_; ++i) {
      const uint64_t frames_end = log_.stats().frame_bytes;
      const Clock time;
      append();
      const double us = time.us();
      seconds += us / 1e6;
      sample.add(us);
      if (floor_) {
        floor_->append(log_.stats().frame_bytes - frames_end);
      }
    }
    const Stats after = log_.stats();
    result.set_work({.records = appends_ * batch_size_,
                     .record_bytes = record_bytes_,
                     .seconds = seconds,
                     .cpu_seconds = cpu_seconds_alone(appends_, [this] { append(); })});
    result.set_latencies(std::move(sample));
    result.set("barriers_per_second", static_cast<double>(after.frames - before.frames) / seconds);
    if (floor_) {
      floor_->report(result);
      result.set("floor.records_per_second",
                 static_cast<double>(batch_size_) * 1e6 / result.get("floor.latency_us.p50"));
      result.set_ratio("p50_to_floor", "latency_us.p50", "floor.latency_us.p50");
      result.set_ratio("p99_to_floor", "latency_us.p99", "floor.latency_us.p99");
    }
    trim_sealed(log_);
    return result;
  }

 private:
  void append() {
    if (batch_size_ == 1) {
      take(log_.append(payload_));
    } else {
      take(log_.append(batch_));
    }
  }

  const uint64_t record_bytes_;
  const uint64_t batch_size_;
  const uint64_t appends_;
  const std::string payload_;
  std::optional<DeviceFloor> floor_;
  Batch batch_;
  Log log_;
};

/// Appends told apart by whether they began a segment. If each frame is a block, the same blocks
/// are written without a log, in turns.
class Rotating final : public Scenario {
 public:
  Rotating(const Place& place, uint64_t record_bytes, uint64_t appends, const Options& options)
      : floor_(options.frame_alignment == kBlockBytes
                   ? std::make_optional<RotationFloor>(place.directory, kFloorFiles,
                                                       options.segment_bytes)
                   : std::nullopt),
        record_bytes_(record_bytes),
        appends_(place.scaled(appends)),
        payload_(payload_of(record_bytes)),
        log_(take(Log::open(place.log(), options))) {
    for (uint64_t i = 0; i < kWarmUpAppends; ++i) {
      take(log_.append(payload_));
    }
  }

  Measurement run() override {
    Sample rotating;
    Sample others;
    Measurement result;
    double seconds = 0;
    const Clock whole;
    uint64_t segments = log_.stats().segments_opened;
    for (uint64_t i = 0; i < appends_; ++i) {
      const double at_ms = whole.seconds() * 1e3;
      const Clock time;
      take(log_.append(payload_));
      const double us = time.us();
      seconds += us / 1e6;
      const uint64_t opened = log_.stats().segments_opened;
      const bool is_rotating = opened != segments;
      (is_rotating ? rotating : others).add(us);
      result.series.push_back({.at_ms = at_ms, .us = us, .is_rotating = is_rotating});
      segments = opened;
      if (floor_) {
        // The header's block goes out with the first frame.
        floor_->append(is_rotating ? 2 * kBlockBytes : kBlockBytes, is_rotating);
      }
    }
    const auto append = [this] { take(log_.append(payload_)); };
    result.set_work({.records = appends_,
                     .record_bytes = record_bytes_,
                     .seconds = seconds,
                     .cpu_seconds = cpu_seconds_alone(appends_, append)});
    result.set_percentiles("rotating_us", rotating);
    result.set_percentiles("others_us", others);
    if (!rotating.is_empty() && !others.is_empty()) {
      result.set_ratio("rotating_to_others", "rotating_us.p50", "others_us.p50");
    }
    rotating.add(others);
    result.set_latencies(std::move(rotating));
    if (floor_) {
      floor_->report(result);
    }
    trim_sealed(log_);
    return result;
  }

 private:
  // More than there are rotations in the time of a clock's tick, after which the first write to a
  // file has to change its time again.
  static constexpr size_t kFloorFiles = 100;

  std::optional<RotationFloor> floor_;
  const uint64_t record_bytes_;
  const uint64_t appends_;
  const std::string payload_;
  Log log_;
};

/// Appends that use segments up, so that others are made ready beside them, and the same appends
/// while nothing is made. They take turns in runs of some length: one after the other they would
/// both be disturbed.
class BesidePreparation final : public Scenario {
 public:
  explicit BesidePreparation(const Place& place)
      : appends_(place.scaled(kAppends)),
        payload_(payload_of(kPayloadBytes)),
        preparing_(
            take(Log::open(place.directory + "/preparing",
                           {.segment_bytes = kSegmentBytes, .standby_segments = kStandbys}))),
        quiet_(take(Log::open(place.directory + "/quiet",
                              {.segment_bytes = 1 << 30, .standby_segments = 0}))) {
    for (uint64_t i = 0; i < kWarmUpAppends; ++i) {
      take(preparing_.append(payload_));
      take(quiet_.append(payload_));
    }
  }

  Measurement run() override {
    Sample with;
    Sample without;
    Measurement result;
    const Stopwatch whole;
    for (uint64_t done = 0; done < appends_; done += kRun) {
      const uint64_t end = std::min(appends_, done + kRun);
      await_standbys(preparing_, kStandbys);
      for (uint64_t i = done; i < end; ++i) {
        without.add(append_to(quiet_));
      }
      for (uint64_t i = done; i < end; ++i) {
        with.add(append_to(preparing_));
      }
    }
    result.set_work({.records = 2 * appends_,
                     .record_bytes = kPayloadBytes,
                     .seconds = whole.seconds(),
                     .cpu_seconds = whole.cpu_seconds()});
    result.set_percentiles("without_us", without);
    result.set_latencies(std::move(with));
    result.set_ratio("p99_to_without", "latency_us.p99", "without_us.p99");
    result.set("segments", static_cast<double>(preparing_.stats().segments_opened));
    return result;
  }

 private:
  // So that a segment is full, and the next one has to be made, every 32 appends; nothing is
  // trimmed, so that each is made of zeros and not of an old one.
  static constexpr uint64_t kPayloadBytes = 8 << 10;
  static constexpr uint64_t kSegmentBytes = 256 << 10;
  static constexpr uint64_t kRun = 200;
  static constexpr uint32_t kStandbys = 2;

  double append_to(Log& log) {
    const Clock time;
    take(log.append(payload_));
    return time.us();
  }

  const uint64_t appends_;
  const std::string payload_;
  Log preparing_;
  Log quiet_;
};

ScenarioKind one_writer(std::string_view name, std::string_view what, uint64_t record_bytes) {
  return {.name = name,
          .what = what,
          .targets = {{"p50_to_floor", Target::Kind::at_most, 1.05, "p50 to the floor's"},
                      {"p99_to_floor", Target::Kind::at_most, 1.2, "p99 to the floor's"}},
          .make =
              [record_bytes](const Place& place) {
                return std::make_unique<OneWriter>(place, record_bytes, 1, kAppends);
              },
          .takes_address = true};
}

}  // namespace

std::vector<ScenarioKind> append_scenarios() {
  return {
      one_writer("append_64", "one writer, durable, 64 bytes", kSmall),
      one_writer("append_1k", "one writer, durable, 1 KiB", 1 << 10),
      one_writer("append_8k", "one writer, durable, 8 KiB", 8 << 10),
      {.name = "batch_1000",
       .what = "one writer, durable, batches of 1,000 of 64 bytes",
       .targets = {{"p50_to_floor", Target::Kind::at_most, 1.15, "p50 to the floor's"}},
       .make =
           [](const Place& place) { return std::make_unique<OneWriter>(place, kSmall, 1000, 300); },
       .takes_address = true},
      {.name = "large_1m",
       .what = "one writer, durable, 1 MiB",
       .targets = {},
       .make =
           [](const Place& place) { return std::make_unique<OneWriter>(place, 1 << 20, 1, 128); },
       .takes_address = true},
      {.name = "rotate_4",
       .what = "one writer, durable, 64 bytes, a rotation every 4",
       .targets = {{"rotating_to_others", Target::Kind::at_most, 1.15,
                    "p50 of rotating appends to the others'", "floor.rotating_to_others"}},
       .make =
           [](const Place& place) {
             return std::make_unique<Rotating>(
                 place, kSmall, 400,
                 Options{.segment_bytes = 5 * kBlockBytes, .frame_alignment = kBlockBytes});
           }},
      {.name = "rotate_timeline",
       .what = "one writer, durable, 1 KiB, segments of 256 KiB, in the course of time",
       .targets = {},
       .make =
           [](const Place& place) {
             return std::make_unique<Rotating>(place, 1 << 10, kAppends,
                                               Options{.segment_bytes = 256 << 10});
           },
       .takes_address = true},
      {.name = "standby",
       .what = "one writer, durable, 8 KiB, while segments are made ready",
       .targets = {{"p99_to_without", Target::Kind::at_most, 1.5, "p99 to that without"}},
       .make = [](const Place& place) { return std::make_unique<BesidePreparation>(place); }},
  };
}

}  // namespace wal::bench
