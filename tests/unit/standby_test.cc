// Goal: a standby is used only when its name is durable, whatever becomes of the others. Method: a
// simulated machine on which making one of two standbys and one sync of the directory fail, and the
// power goes when a record stands in the other.
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

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

}  // namespace
}  // namespace writeahead::testing
