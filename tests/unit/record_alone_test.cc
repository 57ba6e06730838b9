// Goal: a read of a record alone shows what a plain read does, but for what the frame knows, reads
// no more of a segment that nobody has read, and says of damage, trims and truncations what a plain
// read says. Method: closed segments of a log that was opened again, on simulated storage.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "support/error_of.h"
#include "support/log_path.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

constexpr ReadOptions kAlone{.record_alone = true};
constexpr uint64_t kSegmentBytes = 64 << 10;

class RecordAloneTest : public ::testing::Test {
 protected:
  RecordAloneTest() {
    Log log = open();
    for (size_t i = 0; log.segments().size() < 4; ++i) {
      payloads_.push_back(std::string(i % 7 == 0 ? 6000 : i, static_cast<char>('a' + i % 26)));
      lsns_.push_back(log.append(payloads_.back(), {.type = static_cast<uint16_t>(i)}).value());
    }
    EXPECT_TRUE(log.close());
  }
  Log open() {
    return Log::open(kLogPath, {.segment_bytes = kSegmentBytes,
                                .standby_segments = 0,
                                .env = &env_,
                                .background = BackgroundWork::stepped})
        .value();
  }
  static std::string text(const RecordView& record) {
    return {reinterpret_cast<const char*>(record.payload.data()), record.payload.size()};
  }

  SimEnv env_{SimDisk{}};
  std::vector<std::string> payloads_;
  std::vector<Lsn> lsns_;
};

TEST_F(RecordAloneTest, shows_each_record_of_closed_segments_and_of_the_active_one) {
  const Log log = open();
  const auto others = ReadOnlyLog::open(kLogPath, {.env = &env_}).value();
  for (size_t i = 0; i < lsns_.size(); ++i) {
    for (const auto& record : {log.read(lsns_[i], kAlone), others.read(lsns_[i], kAlone)}) {
      ASSERT_TRUE(record) << i << ": " << record.error().message();
      EXPECT_EQ(record->lsn, lsns_[i]);
      EXPECT_EQ(record->type, i);
      EXPECT_EQ(text(*record), payloads_[i]);
    }
  }
}

TEST_F(RecordAloneTest, reads_once_what_fits_a_page_and_twice_what_does_not) {
  const Log log = open();
  ASSERT_TRUE(log.read(lsns_[1], kAlone));  // Opens the file.
  for (const size_t i : {size_t{2}, size_t{3}, size_t{7}, size_t{8}}) {
    const uint64_t before = env_.calls();
    ASSERT_TRUE(log.read(lsns_[i], kAlone));
    EXPECT_LE(env_.calls() - before, payloads_[i].size() < 100 ? 1U : 2U) << i;
  }
  // Which a plain read of the same record is not.
  const uint64_t before = env_.calls();
  ASSERT_TRUE(log.read(lsns_[2]));
  EXPECT_GT(env_.calls() - before, 3U);
}

TEST_F(RecordAloneTest, view_outlives_the_log) {
  std::optional<RecordView> record;
  {
    const Log log = open();
    record = log.read(lsns_[2], kAlone).value();
  }
  EXPECT_EQ(text(*record), payloads_[2]);
}

TEST_F(RecordAloneTest, what_is_no_record_or_is_not_durable_is_not_found) {
  Log log = open();
  const Lsn buffered = log.append("later", {.durability = Durability::buffered}).value();
  for (const Lsn lsn : {Lsn(1), lsns_[3] + 8, buffered, log.end_lsn(), Lsn(UINT64_MAX)}) {
    const auto plain = log.read(lsn);
    const auto alone = log.read(lsn, kAlone);
    ASSERT_FALSE(alone) << lsn.value();
    EXPECT_EQ(alone.error().code(), plain.error().code());
  }
}

TEST_F(RecordAloneTest, damage_is_told_as_a_plain_read_tells_it) {
  const std::string file = "/log/00000000000000000001.wal";
  SimDisk disk = env_.disk().shut_down();
  auto bytes = disk.contents(file).value();
  bytes[4096 + (lsns_[7] - lsns_[0]) + 200] ^= std::byte{1};
  disk.put(file, bytes);
  SimEnv env(disk);
  const auto log = ReadOnlyLog::open(kLogPath, {.env = &env}).value();
  const auto alone = log.read(lsns_[7], kAlone);
  ASSERT_FALSE(alone);
  EXPECT_EQ(alone.error().code(), ErrorCode::corruption);
  EXPECT_EQ(alone.error().message(), log.read(lsns_[7]).error().message());
  // Others of the segment are as they were, and are shown: nobody looked at that one.
  EXPECT_EQ(text(log.read(lsns_[8], kAlone).value()), payloads_[8]);
}

TEST_F(RecordAloneTest, trimmed_and_truncated_records_are_gone) {
  Log log = open();
  ASSERT_TRUE(log.truncate_from(lsns_[lsns_.size() - 2]));
  EXPECT_EQ(code_of(log.read(lsns_.back(), kAlone)), ErrorCode::not_found);
  ASSERT_TRUE(log.trim_before(log.segments()[1].base_lsn));
  EXPECT_EQ(code_of(log.read(lsns_[0], kAlone)), ErrorCode::trimmed);
}

}  // namespace
}  // namespace writeahead::testing
