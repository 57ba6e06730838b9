// Disks with every amount of space, from none upwards.
//
// Goal: want of space refuses appends and openings, never fails a log, and everything goes on when
// space is back. Method: each workload on a disk with each budget, in blocks.
#include <gtest/gtest.h>

#include "support/crash_run.h"
#include "writeahead/batch.h"

namespace writeahead::testing {
namespace {

class DiskFull : public ::testing::TestWithParam<Workload> {};

TEST_P(DiskFull, refuses_appends_and_fails_nothing) {
  const Workload& workload = GetParam();
  CrashTally tally(workload, "disk budgets", Oracle::Names::are_certain, test::part::kFailures);
  for (uint64_t free_bytes = 0; free_bytes <= 96 * 1024; free_bytes += kBlockBytes * kEveryNth) {
    const Interference interference{.free_bytes = free_bytes};
    Script script(workload, interference);
    ASSERT_EQ(script.complaint(), "")
        << free_bytes << " bytes\n"
        << Script(workload, {.free_bytes = free_bytes, .trace_calls = 1000}).machine().trace();
    script.stop();
    const SimDisk disk = script.machine().crashed_disk();
    ASSERT_EQ(tally.judge(disk, script.model()), "") << free_bytes << " bytes, killed";
    ASSERT_EQ(tally.judge(disk.crash({}), script.model()), "") << free_bytes << " bytes, all lost";
  }
}

TEST(DiskFullAgain, appends_go_on_when_space_is_back) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath,
                       {.segment_bytes = 8192, .env = &env, .background = BackgroundWork::stepped});
  ASSERT_TRUE(log);
  ASSERT_TRUE(log->append(std::string(3000, 'a')));
  for (uint64_t free_bytes = 0; free_bytes < 3 * kBlockBytes; free_bytes += kBlockBytes) {
    env.set_free_bytes(free_bytes);
    const auto refused = log->append(std::string(3000, 'b'));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::no_space);
    EXPECT_EQ(env.free_bytes(), free_bytes) << "a refused append keeps space";
    ASSERT_TRUE(log->append(std::string(10, 'c'))) << "a small record still fits";
  }
  env.set_free_bytes(3 * kBlockBytes);
  ASSERT_TRUE(log->append(std::string(3000, 'd')));
  EXPECT_EQ(log->stats().no_space, 3U);
  EXPECT_EQ(log->recovery_report().records + log->stats().records, 5U);
}

TEST(DiskFullAgain, a_cleanly_closed_log_opens_and_closes_without_any_space) {
  SimEnv env{SimDisk{}};
  const Options options{.segment_bytes = 8192, .env = &env, .background = BackgroundWork::stepped};
  {
    auto log = Log::open(kLogPath, options);
    ASSERT_TRUE(log && log->append(std::string(3000, 'a')) && log->close());
  }
  env.set_free_bytes(0);
  auto log = Log::open(kLogPath, options);
  ASSERT_TRUE(log) << log.error().message();
  EXPECT_TRUE(log->append(std::string(10, 'b')));
  EXPECT_TRUE(log->close());
}

TEST(DiskFullAgain, a_log_without_a_torn_tail_opens_after_a_power_cut_without_any_space) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath,
                       {.segment_bytes = 8192, .env = &env, .background = BackgroundWork::stepped});
  ASSERT_TRUE(log && log->append(std::string(3000, 'a')));
  env.crash_now();
  SimEnv next(env.crashed_disk().crash({}));
  next.set_free_bytes(0);
  auto again = Log::open(
      kLogPath, {.segment_bytes = 8192, .env = &next, .background = BackgroundWork::stepped});
  ASSERT_TRUE(again) << again.error().message() << "\n" << next.trace();
  EXPECT_EQ(again->recovery_report().records, 1U);
}

TEST(DiskFullAgain, a_segment_that_could_not_be_made_longer_opens_after_a_power_cut) {
  SimEnv env{SimDisk{}};
  const Options options{.segment_bytes = 8192, .env = &env, .background = BackgroundWork::stepped};
  auto log = Log::open(kLogPath, options);
  ASSERT_TRUE(log && log->append(std::string(3000, 'a')));
  while (log->step_background()) {
  }
  // Room for the first piece by which the next segment grows, and not for all.
  constexpr uint64_t kPieceBytes = 1 << 20;
  env.set_free_bytes(kPieceBytes + kBlockBytes);
  Batch batch;
  for (int i = 0; i < 3; ++i) batch.add(std::string(900'000, 'b'));
  const auto refused = log->append(batch);
  ASSERT_EQ(refused.error().code(), ErrorCode::no_space);
  ASSERT_LT(env.free_bytes(), kPieceBytes) << "it did not grow at all";
  // It takes what fits into its former length, and says no other.
  ASSERT_TRUE(log->append(std::string(3000, 'c')));
  env.crash_now();
  for (const LostBytes lost : {LostBytes::old, LostBytes::zero, LostBytes::garbage}) {
    SimEnv next(env.crashed_disk().crash({.kept = {}, .lost = lost}));
    Options again = options;
    again.env = &next;
    const auto recovered = Log::open(kLogPath, again);
    ASSERT_TRUE(recovered) << recovered.error().message();
    EXPECT_EQ(recovered->recovery_report().records, 2U);
  }
}

INSTANTIATE_TEST_SUITE_P(Workloads, DiskFull, ::testing::ValuesIn(workloads()), workload_name);

}  // namespace
}  // namespace writeahead::testing
