// Goal: a standby is made as fast as the active segment is used up, and no faster, but for a log
// that has time or whose appends wait. Method: a keeper on a simulated disk, asked at each step;
// and a log with a thread of its own on a machine whose clock is moved on.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>

#include "retention/space_quota.h"
#include "retention/standby_keeper.h"
#include "retention/trimmed_segments.h"
#include "segment/file_store.h"
#include "support/log_path.h"
#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::internal {
namespace {

/// A keeper of its own, for who wants to see one step of it after the other.
class StandbyPace : public ::testing::Test {
 protected:
  static constexpr uint64_t kLarge = SegmentWriter::kLargeSlice;
  static constexpr uint64_t kSmall = SegmentWriter::kSmallSlice;

  StandbyKeeper keeper(uint64_t segment_bytes, uint32_t standbys) {
    return {*store_, quota_, trimmed_,
            Options{.segment_bytes = segment_bytes, .standby_segments = standbys}, 1};
  }

  testing::SimEnv env_{testing::SimDisk{}};
  const std::unique_ptr<FileStore> store_ = FileStore::open(env_, testing::kLogPath, {}).value();
  SpaceQuota quota_{0};
  TrimmedSegments trimmed_{*store_, quota_, {}};
};

/// What an append meets on the device is as little as it takes to be in time.
TEST_F(StandbyPace, is_that_of_the_active_segment) {
  StandbyKeeper one = keeper(8 << 20, 1);
  EXPECT_EQ(one.next_slice(0, false), 0U);
  EXPECT_EQ(one.next_slice(0, true), kSmall);
  EXPECT_EQ(one.next_slice(0.01, true), kLarge);
  for (int eighths = 1; eighths < 8; ++eighths) {
    ASSERT_TRUE(one.step(1 << 20).value());
    const double filled = eighths / 8.0;
    EXPECT_EQ(one.next_slice(filled * 0.79, false), 0U) << eighths;
    EXPECT_EQ(one.next_slice(filled * 0.81, false), kLarge) << eighths;
  }
  while (one.ready() == 0 && one.next_slice(0, false) == 0U) {
    ASSERT_TRUE(one.step(1 << 20).value());
  }
  EXPECT_EQ(one.ready(), 0U) << "that only its name is missing makes it urgent";
  while (one.step(1 << 20).value()) {
  }
  EXPECT_EQ(one.ready(), 1U);
  EXPECT_EQ(one.next_slice(1, true), std::nullopt);
}

TEST_F(StandbyPace, is_as_fast_as_can_be_for_who_waits) {
  StandbyKeeper one = keeper(8 << 20, 1);
  EXPECT_EQ(one.next_slice(0, false), 0U);
  one.want();
  EXPECT_EQ(one.next_slice(0, false), kLarge);
}

/// In a pool the group that is missing is made before another one is.
TEST_F(StandbyPace, has_a_group_ready_before_as_many_are_used_up) {
  StandbyKeeper pool = keeper(1 << 20, 20);
  while (pool.step(1 << 20).value()) {
  }
  EXPECT_GE(pool.ready(), 13U);
  while (pool.ready() > 12) ASSERT_TRUE(pool.take(8192));
  EXPECT_EQ(pool.next_slice(0, false), 0U);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(pool.take(8192));
  while (pool.next_slice(0, false) != 0U) ASSERT_TRUE(pool.step(1 << 20).value());
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(pool.take(8192));
  EXPECT_EQ(pool.next_slice(0, false), kLarge);
}

/// A shortage of space leaves nothing that would count as begun.
TEST_F(StandbyPace, begins_anew_after_a_shortage) {
  StandbyKeeper one = keeper(8 << 20, 1);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(one.step(1 << 20).value());
  EXPECT_EQ(one.next_slice(0.3, false), 0U);
  env_.set_free_bytes(0);
  EXPECT_EQ(one.step(1 << 20).error().code(), ErrorCode::no_space);
  EXPECT_EQ(one.next_slice(0.3, false), kLarge);
}

/// By the log's own thread, a little after the last append.
TEST_F(StandbyPace, does_not_wait_for_appends_that_do_not_come) {
  Log log = Log::open("/quiet", {.segment_bytes = 8 << 20, .env = &env_}).value();
  ASSERT_TRUE(log.append("record"));
  env_.advance_ns(1'000'000'000);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (log.stats().standbys == 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  EXPECT_EQ(log.stats().standbys, 1U);
}

}  // namespace
}  // namespace writeahead::internal
