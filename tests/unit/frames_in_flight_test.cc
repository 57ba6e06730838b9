// Goal: two frames whose writes are in flight together are both there in the end, and are answered
// in their order, in whatever order the device is done with them; and a power cut leaves what was
// answered, and nothing behind a gap.
// Method: a simulated machine holds both writes, and lets the one or the other be done first; then
// the power is cut.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "support/log_path.h"
#include "writeahead/log.h"
#include "writeahead/testing/crash_sampler.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

/// Above 64 KiB, and no multiple of a block.
constexpr size_t kBytes = 70'000;

Options options_on(SimEnv& env) {
  return {.segment_bytes = 1 << 20, .env = &env, .background = BackgroundWork::stepped};
}

/// The first byte of each record, as an opening finds them; or what it says where it refuses.
std::string found_on(SimDisk disk) {
  SimEnv env(std::move(disk));
  auto log = Log::open(std::string(kLogPath), options_on(env));
  if (!log) return std::string(log.error().message());
  std::string found;
  for (auto& record : log->reader(log->first_lsn())) {
    if (!record) return std::string(record.error().message());
    found += static_cast<char>(record->payload[0]);
  }
  return found;
}

/// Appends 'a', then 'b' and 'c' in flight together, of which `done_first` is done first. The disk
/// after a power cut.
void append_together(size_t done_first, SimDisk& disk) {
  SimEnv env{SimDisk()};
  Log log = Log::open(std::string(kLogPath), options_on(env)).value();
  ASSERT_TRUE(log.append(std::string(kBytes, 'a')));
  env.hold_writes(true);
  std::optional<Result<Lsn>> first;
  std::optional<Result<Lsn>> second;
  std::thread one([&] { first = log.append(std::string(kBytes, 'b')); });
  const bool is_first_held = env.wait_for_held_writes(1);
  std::thread two([&] { second = log.append(std::string(kBytes, 'c')); });
  const bool are_both_held = env.wait_for_held_writes(2);
  env.release_write(are_both_held ? done_first : 0);
  env.hold_writes(false);
  env.release_write(0);
  one.join();
  two.join();
  ASSERT_TRUE(is_first_held && are_both_held);
  ASSERT_TRUE(*first && *second);
  env.crash_now();
  disk = env.crashed_disk().crash({});
}

TEST(FramesInFlight, are_both_there_whichever_is_done_first) {
  for (const size_t done_first : {size_t{0}, size_t{1}}) {
    SimDisk disk;
    append_together(done_first, disk);
    if (HasFatalFailure()) return;
    EXPECT_EQ(found_on(std::move(disk)), "abc") << "write " << done_first << " was done first";
  }
}

TEST(FramesInFlight, are_answered_in_their_order) {
  SimEnv env{SimDisk()};
  Log log = Log::open(std::string(kLogPath), options_on(env)).value();
  ASSERT_TRUE(log.append(std::string(kBytes, 'a')));  // Ends on a block.
  const uint64_t writes = env.calls(CallKind::dsync_write);
  env.hold_writes(true);
  std::optional<Result<Lsn>> first;
  std::optional<Result<Lsn>> second;
  std::thread one([&] { first = log.append(std::string(kBytes, 'b')); });
  ASSERT_TRUE(env.wait_for_held_writes(1));
  env.hold_writes(false);
  log.append_async(std::string(kBytes, 'c'), {}, [&](Result<Lsn> lsn) { second = std::move(lsn); });
  while (log.step_background()) {
  }
  // The later one is on the device, and is not answered before the earlier one is.
  EXPECT_EQ(env.calls(CallKind::dsync_write), writes + 2);
  EXPECT_FALSE(second);
  EXPECT_EQ(log.stats().records, 1U);
  EXPECT_LT(log.durable_lsn(), log.end_lsn());
  env.release_write(0);
  one.join();
  while (log.step_background()) {
  }
  ASSERT_TRUE(*first && second && *second);
  EXPECT_LT(**first, **second);
  EXPECT_EQ(log.read(**second)->ordinal, 2U);
}

/// A log with its threads. 'a' is durable; 'b' and 'c', which nobody waits for, are being written,
/// one by the background thread and the other by the second writer.
struct TwoWriters {
  TwoWriters() {
    EXPECT_TRUE(log.append(std::string(kBytes, 'a')));
    env.hold_writes(true);
    append(kBytes, 'b');
    are_held = env.wait_for_held_writes(1);
    // Alone it is not worth a write, and waits for more.
    append(100, 'c');
    append(kBytes, 'd');
    are_held = are_held && env.wait_for_held_writes(2);
    if (are_held) return;
    env.hold_writes(false);  // The log ends none the less.
    env.release_write(0);
  }
  void append(size_t bytes, char letter) {
    log.append_async(std::string(bytes, letter), [this](Result<Lsn> lsn) {
      told.push_back(lsn.value());
      tells.release();
    });
  }

  SimEnv env{SimDisk()};
  std::vector<Lsn> told;
  std::counting_semaphore<> tells{0};
  bool are_held = false;
  Log log = Log::open(std::string(kLogPath),
                      {.segment_bytes = 320 << 10, .standby_segments = 0, .env = &env})
                .value();
};

TEST(FramesInFlight, that_nobody_waits_for_are_written_by_two_threads) {
  TwoWriters writers;
  ASSERT_TRUE(writers.are_held);
  writers.env.release_write(1);
  EXPECT_FALSE(writers.tells.try_acquire()) << "the earlier one is not durable yet";
  writers.env.release_write(0);
  writers.env.hold_writes(false);
  for (int i = 0; i < 3; ++i) writers.tells.acquire();
  EXPECT_TRUE(std::ranges::is_sorted(writers.told));
  EXPECT_EQ(writers.log.stats().frames, 3U);
  ASSERT_TRUE(writers.log.close());
  EXPECT_EQ(found_on(writers.env.disk()), "abcd");
}

// While both are being written, and when the one or the other is done.
TEST(FramesInFlight, of_two_threads_leave_what_was_answered_at_a_power_cut) {
  CrashSamplerOptions sampled;
  sampled.single_items = 40;
  size_t states = 0;
  for (const int done : {-1, 0, 1}) {
    TwoWriters writers;
    ASSERT_TRUE(writers.are_held);
    if (done >= 0) writers.env.release_write(static_cast<size_t>(done));
    if (done == 0) writers.tells.acquire();
    const std::string answered = done == 0 ? "ab" : "a";
    states +=
        CrashSampler(sampled).each(writers.env.disk(), [&](SimDisk disk, const CrashPlan& plan) {
          const std::string found = found_on(std::move(disk));
          // The last two share a frame.
          const bool is_whole = found == "a" || found == "ab" || found == "abcd";
          EXPECT_TRUE(is_whole && found.starts_with(answered))
              << found << ", write " << done << " was done\n"
              << to_string(plan);
          return !::testing::Test::HasFailure();
        });
    writers.env.hold_writes(false);
    for (int left = done < 0 ? 2 : 1; left > 0; --left) writers.env.release_write(0);
  }
  EXPECT_GT(states, 300U);
}

}  // namespace
}  // namespace writeahead::testing
