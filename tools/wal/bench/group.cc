// Many writers, each of which waits for its own record: a thread each, or a coroutine.
#include <algorithm>
#include <coroutine>
#include <exception>
#include <latch>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

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
using writeahead::Stats;

namespace {

constexpr uint64_t kGroupedBytes = 64;
constexpr uint64_t kFloorWrites = 300;

class Writers : public Scenario {
 public:
  Writers(const Place& place, size_t writers)
      : writers_(writers),
        appends_each_(place.scaled(std::max<uint64_t>(20, 2000 / writers))),
        payload_(payload_of(kGroupedBytes)),
        floor_writes_(place.scaled(kFloorWrites)),
        log_(take(Log::open(place.log(), {.segment_bytes = 64 << 20}))) {
    if (!place.is_address) {
      floor_.emplace(place.directory, 256 << 10);
    }
  }

  Measurement run() override {
    Sample warm_up;
    (void)append_all(2, warm_up);
    Measurement result;
    if (floor_) {
      await_standbys(log_);
    }
    const Stats before = log_.stats();
    Sample sample;
    const Elapsed time = append_all(appends_each_, sample);
    const Stats after = log_.stats();
    const auto frames = static_cast<double>(after.frames - before.frames);
    const uint64_t records = writers_ * appends_each_;
    result.set_work({.records = records,
                     .record_bytes = kGroupedBytes,
                     .writers = writers_,
                     .seconds = time.seconds,
                     .cpu_seconds = time.cpu_seconds});
    result.set_latencies(std::move(sample));
    result.set("mean_group", static_cast<double>(records) / frames);
    result.set("group_to_writers",
               static_cast<double>(records) / frames / static_cast<double>(writers_));
    result.set("barriers_per_second", frames / time.seconds);
    if (floor_) {
      const double mean_bytes =
          static_cast<double>(after.frame_bytes - before.frame_bytes) / frames;
      measure_floor(mean_bytes, static_cast<double>(records) / frames, result);
    }
    return result;
  }

 protected:
  /// Has each writer append so often, and adds how long that took to its sample.
  virtual Elapsed append_all(uint64_t appends_each, std::vector<Sample>& samples) = 0;

  [[nodiscard]] Log& log() { return log_; }
  [[nodiscard]] const std::string& payload() const { return payload_; }

 private:
  /// One write after the other, each with the bytes of a mean frame.
  void measure_floor(double frame_bytes, double frame_records, Measurement& result) {
    for (uint64_t i = 0; i < floor_writes_; ++i) {
      floor_->append_best(static_cast<uint64_t>(frame_bytes));
    }
    floor_->report(result);
    result.set("floor.records_per_second",
               frame_records * 1e6 / result.get("floor.latency_us.p50"));
    result.set_ratio("rate_to_floor", "records_per_second", "floor.records_per_second");
  }
  Elapsed append_all(uint64_t appends_each, Sample& all) {
    std::vector<Sample> samples(writers_);
    const Elapsed elapsed = append_all(appends_each, samples);
    for (const Sample& sample : samples) {
      all.add(sample);
    }
    return elapsed;
  }

  const size_t writers_;
  const uint64_t appends_each_;
  const std::string payload_;
  std::optional<DeviceFloor> floor_;
  const uint64_t floor_writes_;
  Log log_;
};

class Threads final : public Writers {
 public:
  using Writers::Writers;

 private:
  Elapsed append_all(uint64_t appends_each, std::vector<Sample>& samples) override {
    return run_together(samples.size(), [&](size_t writer) {
      for (uint64_t i = 0; i < appends_each; ++i) {
        const Clock time;
        take(log().append(payload()));
        samples[writer].add(time.us());
      }
    });
  }
};

/// A coroutine that begins at once, and that nobody waits for.
struct Detached {
  // NOLINTBEGIN(readability-identifier-naming): the names that the language asks for.
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
  // NOLINTEND(readability-identifier-naming)
};

/// Coroutines at work, and the first error of all.
struct Running {
  explicit Running(size_t count) : left(static_cast<std::ptrdiff_t>(count)) {}
  std::latch left;
  std::mutex mutex;
  std::optional<Error> error;
};

class Tasks final : public Writers {
 public:
  using Writers::Writers;

 private:
  Elapsed append_all(uint64_t appends_each, std::vector<Sample>& samples) override {
    Running running(samples.size());
    const Stopwatch time;
    for (Sample& sample : samples) {
      write(running, appends_each, sample);
    }
    running.left.wait();
    const Elapsed elapsed = time.elapsed();
    if (running.error) {
      take(writeahead::Result<void>(std::unexpected(*running.error)));
    }
    return elapsed;
  }

  /// On the log's background thread from the first record on.
  Detached write(Running& running, uint64_t appends_each, Sample& sample) {
    for (uint64_t i = 0; i < appends_each; ++i) {
      const Clock time;
      const auto lsn = co_await log().append_async(payload());
      sample.add(time.us());
      if (!lsn) {
        const std::lock_guard lock(running.mutex);
        running.error = lsn.error();
        break;
      }
    }
    running.left.count_down();
  }
};

ScenarioKind tasks(size_t writers, std::string_view name, std::string_view what,
                   std::vector<Target> targets) {
  return {.name = name,
          .what = what,
          .targets = std::move(targets),
          .make = [writers](const Place& place) { return std::make_unique<Tasks>(place, writers); },
          .takes_address = true};
}

ScenarioKind threads(size_t writers, std::string_view name, std::string_view what,
                     std::vector<Target> targets) {
  return {
      .name = name,
      .what = what,
      .targets = std::move(targets),
      .make = [writers](const Place& place) { return std::make_unique<Threads>(place, writers); },
      .takes_address = true};
}

}  // namespace

std::vector<ScenarioKind> group_scenarios() {
  const Target group{"group_to_writers", Target::Kind::at_least, 0.7, "mean group to writers"};
  const Target cpu{"cpu_us_per_record", Target::Kind::at_most, 10, "CPU us a record"};
  return {
      threads(1, "threads_1", "1 thread, durable, 64 bytes", {}),
      threads(8, "threads_8", "8 threads, durable, 64 bytes", {group}),
      threads(64, "threads_64", "64 threads, durable, 64 bytes", {group}),
      threads(256, "threads_256", "256 threads, durable, 64 bytes", {}),
      threads(1024, "threads_1024", "1,024 threads, durable, 64 bytes", {cpu}),
      tasks(8, "tasks_8", "8 coroutines, durable, 64 bytes", {group}),
      tasks(64, "tasks_64", "64 coroutines, durable, 64 bytes", {group}),
      tasks(256, "tasks_256", "256 coroutines, durable, 64 bytes", {}),
      tasks(1024, "tasks_1024", "1,024 coroutines, durable, 64 bytes", {cpu}),
  };
}

}  // namespace wal::bench
