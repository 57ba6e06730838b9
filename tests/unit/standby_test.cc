// Goal: a standby is used only when its name is durable, whatever becomes of the others. Method: a
// simulated machine on which making one of two standbys and one sync of the directory fail, and the
// power goes when a record stands in the other.
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "retention/space_quota.h"
#include "retention/standby_keeper.h"
#include "retention/trimmed_segments.h"
#include "segment/file_store.h"
#include "support/log_path.h"
#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

Options standby_options(SimEnv& env) {
  return {.segment_bytes = 8192,
          .standby_segments = 4,  // made by twos
          .env = &env,
          .background = BackgroundWork::stepped};
}

/// Takes a segment of its own.
Result<Lsn> append_one(Log& log) { return log.append(std::string(3000, 'r')); }

TEST(Standby, given_up_takes_no_error_from_one_whose_name_is_not_durable) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, standby_options(env)).value();
  ASSERT_TRUE(append_one(log));
  // The file of the second one finds no room; and the system tells once that it lost both names.
  env.fail_call(env.calls(CallKind::write) + 2, ENOSPC, FaultSpan::once, CallKind::write);
  const uint64_t syncs = env.calls(CallKind::directory_sync);
  env.fail_call(syncs + 1, EIO, FaultSpan::once, CallKind::directory_sync);
  const uint64_t removals = env.calls(CallKind::remove);
  while (log.step_background() && env.calls(CallKind::directory_sync) == syncs) {
  }
  EXPECT_GT(env.calls(CallKind::remove), removals) << "one was given up";
  ASSERT_TRUE(append_one(log));
  env.crash_now();
  SimEnv again{env.crashed_disk().crash({})};
  auto reopened = Log::open(kLogPath, standby_options(again));
  ASSERT_TRUE(reopened) << reopened.error().message();
  EXPECT_EQ(reopened->recovery_report().records, 2U);
}

// Also where the background has all the time between two rotations.
TEST(Standby, are_made_in_groups_that_share_the_sync_of_their_names) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, standby_options(env)).value();
  const auto append_and_step = [&] {
    ASSERT_TRUE(append_one(log));
    while (log.step_background()) {
    }
  };
  append_and_step();
  EXPECT_EQ(log.stats().standbys, 4U);
  const uint64_t segments = log.stats().segments_opened;
  const uint64_t syncs = env.calls(CallKind::directory_sync);
  for (int i = 0; i < 40; ++i) {
    append_and_step();
    EXPECT_GE(log.stats().standbys, 3U);
  }
  const uint64_t rotations = log.stats().segments_opened - segments;
  EXPECT_GE(rotations, 20U);
  EXPECT_LE(env.calls(CallKind::directory_sync) - syncs, rotations / 2 + 1);
}

/// What an append meets on the device is as little as it takes to be in time.
TEST(Standby, keeps_pace_with_the_active_segment) {
  using writeahead::internal::SegmentWriter;
  SimEnv env{SimDisk{}};
  const auto store = writeahead::internal::FileStore::open(env, kLogPath, {}).value();
  writeahead::internal::SpaceQuota quota(0);
  writeahead::internal::TrimmedSegments trimmed(*store, quota, {});
  const Options options{.segment_bytes = 8 << 20, .standby_segments = 1};
  writeahead::internal::StandbyKeeper keeper(*store, quota, trimmed, options, 1);
  EXPECT_TRUE(keeper.has_work());
  EXPECT_EQ(keeper.next_slice(0, false), 0U);
  EXPECT_EQ(keeper.next_slice(0, true), SegmentWriter::kSmallSlice);
  EXPECT_EQ(keeper.next_slice(0.01, true), SegmentWriter::kLargeSlice);
  for (int eighths = 1; eighths < 8; ++eighths) {
    ASSERT_TRUE(keeper.step(1 << 20).value());
    const double filled = eighths / 8.0;
    EXPECT_EQ(keeper.next_slice(filled * 0.79, false), 0U) << eighths;
    EXPECT_EQ(keeper.next_slice(filled * 0.81, false), SegmentWriter::kLargeSlice) << eighths;
  }
  while (keeper.ready() == 0 && keeper.next_slice(0, false) == 0) {
    ASSERT_TRUE(keeper.step(1 << 20).value());
  }
  EXPECT_EQ(keeper.ready(), 0U) << "that only its name is missing makes it urgent";
  while (keeper.step(1 << 20).value()) {
  }
  EXPECT_EQ(keeper.ready(), 1U);
  EXPECT_FALSE(keeper.has_work());
}

TEST(Standby, that_somebody_waits_for_is_urgent) {
  using writeahead::internal::SegmentWriter;
  SimEnv env{SimDisk{}};
  const auto store = writeahead::internal::FileStore::open(env, kLogPath, {}).value();
  writeahead::internal::SpaceQuota quota(0);
  writeahead::internal::TrimmedSegments trimmed(*store, quota, {});
  const Options options{.segment_bytes = 8 << 20, .standby_segments = 1};
  writeahead::internal::StandbyKeeper keeper(*store, quota, trimmed, options, 1);
  EXPECT_EQ(keeper.next_slice(0, false), 0U);
  keeper.want();
  EXPECT_EQ(keeper.next_slice(0, false), SegmentWriter::kLargeSlice);
}

/// In a pool the group that is missing is made before another one is.
TEST(Standby, group_is_made_before_as_many_are_used_up) {
  using writeahead::internal::SegmentWriter;
  SimEnv env{SimDisk{}};
  const auto store = writeahead::internal::FileStore::open(env, kLogPath, {}).value();
  writeahead::internal::SpaceQuota quota(0);
  writeahead::internal::TrimmedSegments trimmed(*store, quota, {});
  const Options options{.segment_bytes = 1 << 20, .standby_segments = 20};
  writeahead::internal::StandbyKeeper keeper(*store, quota, trimmed, options, 1);
  while (keeper.step(1 << 20).value()) {
  }
  EXPECT_GE(keeper.ready(), 13U);
  while (keeper.ready() > 12) ASSERT_TRUE(keeper.take(8192));
  EXPECT_EQ(keeper.next_slice(0, false), 0U);
  // Two of eight, and then four.
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(keeper.take(8192));
  while (keeper.next_slice(0, false) != 0) ASSERT_TRUE(keeper.step(1 << 20).value());
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(keeper.take(8192));
  EXPECT_EQ(keeper.next_slice(0, false), SegmentWriter::kLargeSlice);
}

}  // namespace
}  // namespace writeahead::testing
