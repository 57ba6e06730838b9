// Frames with blocks or sectors of their own: where they stand, and which bytes are written for
// them. What that is good for stands in tests/crash/strict_tear_test.cc.
//
// Method: the calls of a simulated machine, and once the real system.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/scratch_directory.h"
#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kFirstFrame = 4096;  // behind the header block

class AlignedFramesTest : public ::testing::Test {
 protected:
  Log open(uint32_t alignment, SyncMethod method = SyncMethod::automatic) {
    return Log::open("/log", {.segment_bytes = 1 << 20,
                              .sync_method = method,
                              .frame_alignment = alignment,
                              .env = &env_,
                              .background = BackgroundWork::stepped})
        .value();
  }
  /// The last write, as a line of the trace without its number.
  std::string last_write() {
    const std::string trace = env_.trace();
    const size_t at = std::max(trace.rfind(" write /"), trace.rfind(" dsync_write /") + 1);
    return trace.substr(at, trace.find('\n', at) - at);
  }

  SimEnv env_{SimDisk(), {.direct_bytes = 512}};
};

TEST_F(AlignedFramesTest, in_sectors_are_written_without_what_stands_before_them) {
  Log log = open(512);
  ASSERT_TRUE(log.append("a"));
  for (const auto level : {Durability::durable, Durability::written, Durability::durable}) {
    const uint64_t offset = kFirstFrame + (log.end_lsn() - log.first_lsn());
    EXPECT_EQ(offset % 512, 0U);
    EXPECT_NE(offset % 4096, 0U);
    ASSERT_TRUE(log.append("b", {.durability = level}));
    EXPECT_THAT(last_write(), HasSubstr(fmt::format(" offset={} ", offset)));
  }
  EXPECT_EQ(log.stats().written_bytes, 8192U + 3584 + 3072 + 2560);
}

TEST_F(AlignedFramesTest, in_sectors_that_cannot_be_written_alone_take_their_block_along) {
  Log log = open(512, SyncMethod::fdatasync);
  ASSERT_TRUE(log.append("a"));
  ASSERT_TRUE(log.append("b"));
  EXPECT_THAT(last_write(), HasSubstr(" offset=4096 "));
  EXPECT_EQ(log.end_lsn() - log.first_lsn(), 1024U);
  EXPECT_EQ(log.stats().written_bytes, 8192U + 4096);
}

TEST_F(AlignedFramesTest, begin_a_segment_behind_packed_ones_and_are_gone_on_with_by_them) {
  std::vector<Lsn> lsns;
  for (const uint32_t alignment : {0, 512, 0, 512, 4096}) {
    Log log = open(alignment);
    const size_t before = log.segments().size();
    lsns.push_back(log.append("x").value());
    const bool is_new = log.segments().size() > before;
    // The first, and each that begins where no sector or block does.
    EXPECT_EQ(is_new, lsns.size() != 3) << lsns.size();
  }
  Log log = open(0);
  size_t i = 0;
  for (const auto& record : log.reader(log.first_lsn())) ASSERT_EQ(record->lsn, lsns[i++]);
  EXPECT_EQ(i, lsns.size());
}

TEST_F(AlignedFramesTest, of_other_sizes_are_refused) {
  for (const uint32_t alignment : {1, 256, 1024, 8192}) {
    auto log = Log::open("/log", {.frame_alignment = alignment, .env = &env_});
    ASSERT_FALSE(log);
    EXPECT_EQ(log.error().code(), ErrorCode::invalid_argument);
  }
}

TEST_F(AlignedFramesTest, no_seal_shares_a_sector_with_a_frame_of_a_packed_opening) {
  {
    Log packed = open(0);
    ASSERT_TRUE(packed.append("a"));
    env_.crash_now();
  }
  SimEnv again(env_.crashed_disk().crash({}), {.direct_bytes = 512});
  for (const uint32_t alignment : {512U, 0U}) {
    auto log = Log::open("/log", {.segment_bytes = 1 << 20,
                                  .standby_segments = 0,
                                  .frame_alignment = alignment,
                                  .env = &again,
                                  .background = BackgroundWork::stepped})
                   .value();
    if (alignment != 0) {
      ASSERT_TRUE(log.append("b")) << "in another segment";
    }
    while (log.step_background()) {
    }
    EXPECT_EQ(log.stats().seals, alignment != 0 ? 0U : 1U);
  }
}

TEST(AlignedFrames, are_written_and_read_back_by_the_real_system) {
  const test::ScratchDirectory scratch;
  const std::string path = scratch.path("log");
  std::vector<Lsn> lsns;
  for (int i = 0; i < 3; ++i) {
    auto log = Log::open(path, {.segment_bytes = 16384, .frame_alignment = 512});
    ASSERT_TRUE(log) << log.error().message();
    for (const auto level : {Durability::durable, Durability::written, Durability::buffered,
                             Durability::durable, Durability::written}) {
      auto lsn = log->append(std::string(700 + 100 * lsns.size(), 'x'), {.durability = level});
      ASSERT_TRUE(lsn) << lsn.error().message();
      lsns.push_back(*lsn);
    }
    ASSERT_TRUE(log->close());
  }
  auto log = Log::open(path, {.frame_alignment = 512});
  ASSERT_TRUE(log);
  size_t i = 0;
  for (const auto& record : log->reader(log->first_lsn())) {
    ASSERT_TRUE(record) << record.error().message();
    EXPECT_EQ(record->lsn, lsns[i]);
    EXPECT_EQ(record->payload.size(), 700 + 100 * i++);
  }
  EXPECT_EQ(i, lsns.size());
}

TEST_F(AlignedFramesTest, in_blocks_share_none) {
  Log log = open(kBlockBytes);
  Lsn last = log.append("first").value();
  for (int i = 0; i < 5; ++i) {
    const Lsn next = log.append("next").value();
    EXPECT_EQ((next - last) % kBlockBytes, 0U);
    last = next;
  }
  EXPECT_EQ(log.stats().frame_bytes, 6 * kBlockBytes);
  ASSERT_TRUE(log.close());
  EXPECT_EQ(open(kBlockBytes).recovery_report().records, 6U);
}

}  // namespace
}  // namespace writeahead::testing
