// Durable appends of 64 bytes by one thread that waits for none of them, with 10,000 in flight.
#include <algorithm>
#include <atomic>
#include <string>

#include "device_floor.h"
#include "figures.h"
#include "measuring.h"
#include "writeahead/log.h"

namespace writeahead::bench {
namespace {

constexpr int kRounds = 9;
constexpr uint64_t kInFlight = 10'000;
constexpr uint64_t kRecords = 1'000'000;
constexpr uint64_t kBytesEach = 80;  // with the record's header

/// How many are done, and a thread that waits for that.
class DoneCount {
 public:
  void add_one() {
    if (done_.fetch_add(1, std::memory_order_seq_cst) + 1 ==
        awaited_.load(std::memory_order_seq_cst)) {
      done_.notify_one();
    }
  }
  /// Returns once `count` are done; only one thread waits.
  void await(uint64_t count) {
    awaited_.store(count, std::memory_order_seq_cst);
    for (uint64_t done = get(); done < count; done = get()) done_.wait(done);
  }
  [[nodiscard]] uint64_t get() const { return done_.load(std::memory_order_seq_cst); }

 private:
  alignas(64) std::atomic<uint64_t> done_ = 0;
  alignas(64) std::atomic<uint64_t> awaited_ = 0;
};

void append_all(Log& log) {
  DoneCount done;
  for (uint64_t appended = 0; appended < kRecords; ++appended) {
    // Half of them at once: waiting for each single one would be a wake-up for each.
    if (appended - done.get() == kInFlight) done.await(appended - kInFlight / 2);
    log.append_async(kRecord, [&done](Result<Lsn> lsn) {
      if (!lsn) give_up(lsn.error().message());
      done.add_one();
    });
  }
  done.await(kRecords);
}

void measure(const std::string& path, std::string_view name, const Options& options,
             DeviceFloor& floor, std::optional<double> at_least) {
  Log log = take(Log::open(path, options));
  take(log.append(kRecord));  // Prepares the first segment.
  Rounds rounds;
  for (int round = 0; round < kRounds; ++round) {
    rounds.add([&] { append_all(log); },
               [&] {
                 constexpr uint64_t kHalf = kInFlight / 2;
                 for (uint64_t n = 0; n < kRecords; n += kHalf) floor.write(kHalf * kBytesEach);
               });
    take(log.trim_before(log.segments().back().base_lsn));
  }
  print_rate(name, rounds, kRecords / 1e6, "M/s", at_least);
  take(log.close());
}

}  // namespace

void measure_async_appends(const std::string& directory, DeviceFloor& floor) {
  print_heading("async appends of 64 bytes, durable");
  measure(directory + "/async", "one thread, 10,000 in flight, segment ready",
          {.segment_bytes = 1 << 30, .standby_segments = 0}, floor, 3.0);
  measure(directory + "/async_rotating", "the same with segments of 64 MiB, made meanwhile", {},
          floor, std::nullopt);
}

}  // namespace writeahead::bench
