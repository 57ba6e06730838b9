#include "scenarios.h"

#include <algorithm>
#include <array>
#include <latch>
#include <numeric>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "payloads.h"

namespace peers {
namespace {

constexpr size_t kAppends = 2'000;
constexpr size_t kAppendsPerThread = 20;
constexpr size_t kWarmUpAppends = 50;
constexpr size_t kWarmUpBytesMax = 8 << 10;
constexpr size_t kInFlight = 1'000'000;
constexpr size_t kInFlightBatch = 5'000;
constexpr size_t kBatches = 300;
constexpr size_t kBatchRecords = 1'000;
constexpr size_t kLargeAppends = 128;
constexpr size_t kPointRecords = 1'000'000;
constexpr double kPointReadSeconds = 3;
constexpr size_t kReplayRecords = 2'000'000;
constexpr size_t kReplayLargeRecords = 200'000;
/// Of a batch of records that fill a store untimed.
constexpr size_t kFillBytes = 1 << 20;

void expect(const Sum& found, const Sum& stored, const std::string& what) {
  if (found == stored) return;
  throw std::runtime_error(what + ": " + std::to_string(found.records) + " records found of " +
                           std::to_string(stored.records) + ", or others");
}

Sum sum_of(const Payloads& payloads, size_t records) {
  Sum sum;
  for (size_t i = 0; i < records; ++i) sum.add(payloads[i]);
  return sum;
}

Sum replay(Store& store) {
  Sum sum;
  store.replay([&sum](std::string_view record) { sum.add(record); });
  return sum;
}

/// Appends 50 records, then what is timed, and looks at the end whether all are there. `timed`
/// returns the sum of what it appended and puts the rest into `measured`.
template <class Timed>
Measured measure_appends(const Scenario& scenario, const Peer& peer, const std::string& directory,
                         const Timed& timed) {
  Measured measured;
  measured.note = peer.appends_note;
  const auto store = peer.open(directory, Purpose::appends);
  const Payloads warm_up(std::min(scenario.record_bytes, kWarmUpBytesMax));
  Sum stored;
  for (size_t i = 0; i < kWarmUpAppends; ++i) {
    store->append(warm_up[i]);
    stored.add(warm_up[i]);
  }
  stored.add(timed(*store, Payloads(scenario.record_bytes), measured));
  measured.records = stored.records - kWarmUpAppends;
  expect(replay(*store), stored, "after the appends");
  return measured;
}

Measured run_appends(const Scenario& scenario, const Peer& peer, const std::string& directory) {
  const size_t count = scenario.record_bytes >= 1 << 20 ? kLargeAppends : kAppends;
  return measure_appends(
      scenario, peer, directory,
      [count](Store& store, const Payloads& payloads, Measured& measured) {
        measured.latencies_us.reserve(count);
        const Stopwatch time;
        for (size_t i = 0; i < count; ++i) {
          measured.latencies_us.push_back(time_us([&] { store.append(payloads[i]); }));
        }
        measured.seconds = time.wall();
        measured.cpu_seconds = time.processor();
        return sum_of(payloads, count);
      });
}

/// One of several that append at once: its share of the records, and what came of them.
struct Writer {
  size_t begin = 0;
  size_t end = 0;
  std::vector<double> latencies_us;
  std::exception_ptr failure;

  void run(Store& store, const Payloads& payloads) {
    try {
      for (size_t i = begin; i < end; ++i) {
        latencies_us.push_back(time_us([&] { store.append(payloads[i]); }));
      }
    } catch (...) {
      failure = std::current_exception();
    }
  }
};

Sum append_together(Store& store, const Payloads& payloads, size_t count, Measured& measured) {
  const size_t total = std::max(kAppends, count * kAppendsPerThread);
  std::vector<Writer> writers(count);
  for (size_t i = 0; i < count; ++i) {
    writers[i].begin = total * i / count;
    writers[i].end = total * (i + 1) / count;
    writers[i].latencies_us.reserve(writers[i].end - writers[i].begin);
  }
  std::latch are_ready(static_cast<ptrdiff_t>(count)), start(1);
  std::vector<std::jthread> threads;
  threads.reserve(count);
  for (Writer& writer : writers) {
    threads.emplace_back([&] {
      are_ready.count_down();
      start.wait();
      writer.run(store, payloads);
    });
  }
  are_ready.wait();
  const Stopwatch time;
  start.count_down();
  threads.clear();
  measured.seconds = time.wall();
  measured.cpu_seconds = time.processor();
  for (const Writer& writer : writers) {
    if (writer.failure) std::rethrow_exception(writer.failure);
    measured.latencies_us.insert(measured.latencies_us.end(), writer.latencies_us.begin(),
                                 writer.latencies_us.end());
  }
  return sum_of(payloads, total);
}

Measured run_threads(const Scenario& scenario, const Peer& peer, const std::string& directory) {
  return measure_appends(scenario, peer, directory,
                         [&](Store& store, const Payloads& payloads, Measured& measured) {
                           return append_together(store, payloads, scenario.writers, measured);
                         });
}

/// Appends records in batches with one barrier each. Returns each one's microseconds.
std::vector<double> append_batches(Store& store, const Payloads& payloads, size_t records,
                                   size_t batch_records) {
  std::vector<double> latencies_us;
  latencies_us.reserve(records / batch_records + 1);
  std::vector<std::string_view> batch;
  batch.reserve(batch_records);
  for (size_t next = 0; next < records;) {
    batch.clear();
    while (batch.size() < batch_records && next < records) batch.push_back(payloads[next++]);
    latencies_us.push_back(time_us([&] { store.append_batch(batch); }));
  }
  return latencies_us;
}

Measured run_in_flight(const Scenario& scenario, const Peer& peer, const std::string& directory) {
  return measure_appends(scenario, peer, directory,
                         [&](Store& store, const Payloads& payloads, Measured& measured) {
                           const Stopwatch time;
                           append_batches(store, payloads, kInFlight, kInFlightBatch);
                           measured.seconds = time.wall();
                           measured.cpu_seconds = time.processor();
                           measured.note += "; no async API: batches of 5,000, one barrier each";
                           return sum_of(payloads, kInFlight);
                         });
}

Measured run_batches(const Scenario& scenario, const Peer& peer, const std::string& directory) {
  constexpr size_t kRecords = kBatches * kBatchRecords;
  return measure_appends(
      scenario, peer, directory, [&](Store& store, const Payloads& payloads, Measured& measured) {
        const Stopwatch time;
        measured.latencies_us = append_batches(store, payloads, kRecords, kBatchRecords);
        measured.seconds = time.wall();
        measured.cpu_seconds = time.processor();
        return sum_of(payloads, kRecords);
      });
}

void fill(Store& store, const Payloads& payloads, size_t records) {
  append_batches(store, payloads, records, kFillBytes / payloads.record_bytes());
  store.settle();
}

Measured run_point_reads(const Scenario& scenario, const Peer& peer, const std::string& directory) {
  const Payloads payloads(scenario.record_bytes);
  const auto store = peer.open(directory, Purpose::reads);
  fill(*store, payloads, kPointRecords);
  std::vector<uint64_t> order(kPointRecords);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::shuffle(order, std::mt19937_64(1));

  Sum read;
  const Visitor visit = [&read](std::string_view record) { read.add(record); };
  constexpr size_t kReadsBetweenLooks = 64;
  const Stopwatch time;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i % kReadsBetweenLooks == 0 && time.wall() >= kPointReadSeconds) break;
    store->read(order[i], visit);
  }
  Measured measured{.records = read.records,
                    .seconds = time.wall(),
                    .cpu_seconds = time.processor(),
                    .latencies_us = {},
                    .note = peer.reads_note};
  Sum stored;
  for (size_t i = 0; i < read.records; ++i) stored.add(payloads[order.at(i)]);
  expect(read, stored, "reads in random order");
  return measured;
}

Measured run_replay(const Scenario& scenario, const Peer& peer, const std::string& directory) {
  const size_t records = scenario.record_bytes == 64 ? kReplayRecords : kReplayLargeRecords;
  const Payloads payloads(scenario.record_bytes);
  auto store = peer.open(directory, Purpose::reads);
  fill(*store, payloads, records);
  store.reset();

  const Stopwatch time;
  store = peer.open(directory, Purpose::reads);
  const Sum read = replay(*store);
  Measured measured{.records = read.records,
                    .seconds = time.wall(),
                    .cpu_seconds = time.processor(),
                    .latencies_us = {},
                    .note = peer.reads_note};
  expect(read, sum_of(payloads, records), "replay");
  return measured;
}

constexpr std::array kScenarios{
    Scenario{"append_64", 64, 1, run_appends},       Scenario{"append_1k", 1 << 10, 1, run_appends},
    Scenario{"append_8k", 8 << 10, 1, run_appends},  Scenario{"rotate_4", 64, 1, nullptr},
    Scenario{"threads_1", 64, 1, run_threads},       Scenario{"threads_8", 64, 8, run_threads},
    Scenario{"threads_64", 64, 64, run_threads},     Scenario{"threads_256", 64, 256, run_threads},
    Scenario{"threads_1024", 64, 1024, run_threads}, Scenario{"in_flight", 64, 1, run_in_flight},
    Scenario{"batch_1000", 64, 1, run_batches},      Scenario{"large_1m", 1 << 20, 1, run_appends},
    Scenario{"point_reads", 64, 1, run_point_reads}, Scenario{"replay_64", 64, 1, run_replay},
    Scenario{"replay_1k", 1 << 10, 1, run_replay},
};

}  // namespace

const Scenario* find_scenario(std::string_view name) {
  const auto* const found = std::ranges::find(kScenarios, name, &Scenario::name);
  return found == kScenarios.end() ? nullptr : found;
}

}  // namespace peers
