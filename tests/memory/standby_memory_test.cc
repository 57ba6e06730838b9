// Goal: a standby that is given back needs no memory: whoever gives it back has none. Method: a
// keeper of standbys on a simulated machine; each time one is taken, the next is made, and the
// first comes back with every request for memory refused.
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "memory/refusing_allocator.h"
#include "retention/space_quota.h"
#include "retention/standby_keeper.h"
#include "retention/trimmed_segments.h"
#include "segment/file_store.h"
#include "support/log_path.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::internal {
namespace {

TEST(StandbyMemory, giving_back_takes_none) {
  testing::SimEnv env{testing::SimDisk{}};
  const auto store = FileStore::open(env, testing::kLogPath, {}).value();
  SpaceQuota quota(0);
  TrimmedSegments trimmed(*store, quota, {});
  const Options options{.segment_bytes = 8192, .standby_segments = 1};
  StandbyKeeper keeper(*store, quota, trimmed, options, 1);
  // More than a queue has room for before it moves on in memory.
  for (uint64_t number = 1; number <= 64; ++number) {
    ASSERT_TRUE(keeper.make(options.segment_bytes).value());
    std::optional<Standby> standby = keeper.take(options.segment_bytes);
    ASSERT_TRUE(standby);
    while (keeper.step(SegmentWriter::kLargeSlice).value()) {
    }
    ASSERT_EQ(keeper.ready(), 1U) << "the next one";
    ASSERT_TRUE(test::succeeds_without_memory([&] { keeper.give_back(std::move(*standby)); }));
    ASSERT_EQ(keeper.next_number(), number);
    standby = keeper.take(options.segment_bytes);
    ASSERT_TRUE(standby);
    EXPECT_EQ(standby->number, number);
  }
}

}  // namespace
}  // namespace writeahead::internal
