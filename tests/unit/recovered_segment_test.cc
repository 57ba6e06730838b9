// The segment that an opening goes on with, beside those that it makes.
#include <gtest/gtest.h>

#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

TEST(RecoveredSegment, is_written_by_the_method_that_was_chosen) {
  SimEnv env{SimDisk()};
  for (int opening = 0; opening < 3; ++opening) {
    auto log = Log::open("/log", {.env = &env, .background = BackgroundWork::stepped});
    ASSERT_TRUE(log);
    if (opening == 0) {
      ASSERT_TRUE(log->append("first"));
    }
    const uint64_t syncs = env.calls(CallKind::sync);
    const uint64_t barriers = env.calls(CallKind::dsync_write);
    ASSERT_TRUE(log->append("a"));
    ASSERT_TRUE(log->append("b"));
    EXPECT_EQ(log->stats().sync_method, SyncMethod::direct_dsync);
    EXPECT_EQ(env.calls(CallKind::sync), syncs);
    EXPECT_EQ(env.calls(CallKind::dsync_write), barriers + 2);
    // One opening after a clean end, one after an unclean one.
    if (opening != 0) continue;
    ASSERT_TRUE(log->close());
  }
}

}  // namespace
}  // namespace writeahead::testing
