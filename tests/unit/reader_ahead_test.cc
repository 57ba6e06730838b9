// Goal: records that were verified ahead of their reader are handed out only as long as nothing
// happened to the log. Method: a batch, so that all of a frame is verified early, and something
// that happens in the middle of it.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "support/log_path.h"
#include "writeahead/batch.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

constexpr size_t kRecords = 100;

/// A log with one frame of many records.
struct OneFrame {
  SimEnv env{SimDisk{}};
  std::optional<Log> log;
  std::vector<Lsn> lsns;

  OneFrame() {
    log.emplace(
        Log::open(kLogPath,
                  {.segment_bytes = 1 << 20, .env = &env, .background = BackgroundWork::stepped})
            .value());
    Batch batch;
    for (size_t i = 0; i < kRecords; ++i) batch.add(std::string(i, 'a'));
    const Appended range = log->append(batch).value();
    for (size_t i = 0; i < kRecords; ++i) lsns.push_back(batch.lsn(i, range));
  }
};

void expect_next(Reader& reader, const OneFrame& made, size_t index) {
  const auto record = reader.next();
  ASSERT_TRUE(record && *record) << index;
  EXPECT_EQ((*record)->lsn, made.lsns[index]);
  EXPECT_EQ((*record)->ordinal, index);
  EXPECT_EQ((*record)->payload.size(), index);
}

void expect_truncated(Reader& reader) {
  const auto record = reader.next();
  ASSERT_TRUE(record && !*record);
  EXPECT_EQ(record->error().code(), ErrorCode::truncated) << record->error().message();
  EXPECT_FALSE(reader.next());
}

TEST(ReaderAhead, hears_of_a_truncation_in_the_middle_of_a_frame) {
  OneFrame made;
  Reader reader = made.log->reader(made.log->first_lsn());
  for (size_t i = 0; i < 50; ++i) expect_next(reader, made, i);
  ASSERT_TRUE(made.log->truncate_from(made.lsns[10]));
  expect_truncated(reader);
}

TEST(ReaderAhead, ends_where_a_truncation_cut_the_frame_before_it) {
  OneFrame made;
  Reader reader = made.log->reader(made.log->first_lsn());
  for (size_t i = 0; i < 50; ++i) expect_next(reader, made, i);
  ASSERT_TRUE(made.log->truncate_from(made.lsns[60]));
  for (size_t i = 50; i < 60; ++i) expect_next(reader, made, i);
  EXPECT_FALSE(reader.next());
}

TEST(ReaderAhead, of_a_follower_hears_of_a_truncation_too) {
  OneFrame made;
  const auto other = made.env.another_process(2000);
  const auto follower = ReadOnlyLog::open(kLogPath, {.env = other.get()});
  ASSERT_TRUE(follower);
  Reader reader = follower->reader(follower->first_lsn());
  for (size_t i = 0; i < 50; ++i) expect_next(reader, made, i);
  ASSERT_TRUE(made.log->truncate_from(made.lsns[10]));
  expect_truncated(reader);
}

TEST(ReaderAhead, position_is_behind_what_was_handed_out) {
  OneFrame made;
  Reader reader = made.log->reader(made.log->first_lsn());
  for (size_t i = 0; i + 1 < kRecords; ++i) {
    expect_next(reader, made, i);
    EXPECT_EQ(reader.position(), made.lsns[i + 1]);
    Reader other = made.log->reader(reader.position());
    expect_next(other, made, i + 1);
  }
}

}  // namespace
}  // namespace writeahead::testing
