// Goal: a reader that waits gets each record once, in order, as soon as it is durable; and every
// wait ends: by a record, a stop, its time, a trim, a truncation, a failure, the log's end.
// Method: readers on threads of their own, beside what the test does to the log.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "support/follower.h"
#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

using namespace std::chrono_literals;

using test::Follower;
using test::numbers;
using test::wait;

class FollowTest : public ::testing::Test {
 protected:
  Log open(Options options = {.segment_bytes = 4608}) {
    options.env = &env_;
    return Log::open("/log", options).value();
  }

  SimEnv env_{SimDisk()};
};

TEST_F(FollowTest, followers_get_each_record_once_across_rotations) {
  constexpr int kRecords = 3000;
  Log log = open();
  std::vector<std::unique_ptr<Follower>> followers;
  for (int i = 0; i < 3; ++i) {
    followers.push_back(std::make_unique<Follower>(log.reader(log.first_lsn())));
  }
  for (int i = 0; i < kRecords; ++i) {
    ASSERT_TRUE(log.append(std::to_string(i)));
    // Now and then all of them have nothing left to read.
    if (i % 100 == 0) followers[i / 100 % 3]->await(i + 1);
  }
  ASSERT_TRUE(log.close());
  for (const auto& follower : followers) EXPECT_EQ(follower->got(), numbers(kRecords, "closed"));
}

TEST_F(FollowTest, record_is_delivered_when_it_is_durable_and_not_before) {
  Log log = open({.segment_bytes = 65'536, .background = BackgroundWork::stepped});
  Reader reader = log.reader(log.first_lsn());
  ASSERT_TRUE(log.append("0", {.durability = Durability::written}));
  ASSERT_TRUE(log.append("1", {.durability = Durability::buffered}));
  EXPECT_EQ(wait(reader, {}, 0ns), "timed out");
  Follower follower(std::move(reader));
  ASSERT_TRUE(log.sync());
  follower.await(2);
  // A rotation makes durable what was written before it.
  ASSERT_TRUE(log.append("2", {.durability = Durability::written}));
  ASSERT_TRUE(log.close());
  EXPECT_EQ(follower.got(), numbers(3, "closed"));
}

TEST_F(FollowTest, rotation_tells_of_what_it_made_durable) {
  Log log = open({.segment_bytes = 4608, .background = BackgroundWork::stepped});
  Follower follower(log.reader(log.first_lsn()));
  ASSERT_TRUE(log.append("0", {.durability = Durability::written}));
  ASSERT_TRUE(log.append(std::string(8000, '1'), {.durability = Durability::written}));
  follower.await(1);
  EXPECT_LT(log.durable_lsn(), log.end_lsn());
  ASSERT_TRUE(log.close());
  EXPECT_EQ(follower.got().size(), 3U);
}

TEST_F(FollowTest, wait_ends_by_time_and_by_stop) {
  Log log = open();
  Reader reader = log.reader(log.first_lsn());
  EXPECT_EQ(wait(reader, {}, 0ns), "timed out");
  EXPECT_EQ(wait(reader, {}, -1s), "timed out");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(wait(reader, {}, 20ms), "timed out");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 20ms);
  ASSERT_TRUE(log.append("0"));
  EXPECT_EQ(wait(reader, {}, std::chrono::nanoseconds::max()), "0");
  // A stop comes before records that are there, and takes nothing away.
  ASSERT_TRUE(log.append("1"));
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(wait(reader, source.get_token()), "stopped");
  EXPECT_EQ(wait(reader), "1");
  // However it falls together with the beginning of the wait.
  for (int i = 0; i < 300; ++i) {
    Follower follower(log.reader(log.end_lsn()));
    if (i % 2 == 0) std::this_thread::yield();
    follower.stop();
    ASSERT_EQ(follower.got(), numbers(0, "stopped"));
  }
}

TEST_F(FollowTest, loop_over_the_range_ends_at_the_durable_end) {
  Log log = open();
  ASSERT_TRUE(log.append("0"));
  int records = 0;
  Reader reader = log.reader(log.first_lsn());
  for (const auto& record : reader) records += record ? 1 : 0;
  EXPECT_EQ(records, 1);
  ASSERT_TRUE(log.append("1"));
  EXPECT_EQ(wait(reader), "1");
}

TEST_F(FollowTest, log_that_ends_ends_its_followers) {
  std::optional<Log> log(open());
  ASSERT_TRUE(log->append("0"));
  Reader late = log->reader(log->first_lsn());
  Follower follower(log->reader(log->first_lsn()));
  follower.await(1);
  log.reset();
  EXPECT_EQ(follower.got(), numbers(1, "closed"));
  // What is durable comes first; and the error stays.
  EXPECT_EQ(wait(late), "0");
  EXPECT_EQ(wait(late), "closed");
  EXPECT_EQ(wait(late, {}, 0ns), "closed");
  EXPECT_FALSE(late.next());
}

TEST_F(FollowTest, failed_log_delivers_what_is_durable_and_then_its_failure) {
  Log log = open({.segment_bytes = 65'536, .background = BackgroundWork::stepped});
  ASSERT_TRUE(log.append("0"));
  Follower follower(log.reader(log.first_lsn()));
  follower.await(1);
  env_.fail_call(env_.calls(CallKind::dsync_write) + 1, EIO, FaultSpan::once,
                 CallKind::dsync_write);
  EXPECT_FALSE(log.append("lost"));
  EXPECT_EQ(follower.got(), numbers(1, "failed"));
  Reader late = log.reader(log.first_lsn());
  EXPECT_EQ(wait(late), "0");
  EXPECT_EQ(wait(late), "failed");
}

TEST_F(FollowTest, trims_and_truncations_tell_who_is_concerned) {
  Log log = open();
  std::vector<Lsn> lsns;
  const auto append = [&](int from, int to) {
    for (int i = from; i < to; ++i) {
      lsns.push_back(log.append(std::to_string(i) + std::string(1000, ' ')).value());
    }
  };
  append(0, 20);
  Follower above(log.reader(lsns[15]));
  Reader below = log.reader(lsns[5]);
  Reader at_cut = log.reader(lsns[10]);
  Reader slow = log.reader(lsns[0]);
  above.await(5);
  ASSERT_TRUE(log.truncate_from(lsns[10]));
  EXPECT_EQ(above.got().back(), "truncated");
  lsns.resize(10);
  append(10, 12);
  EXPECT_EQ(wait(at_cut), "10" + std::string(1000, ' '));
  for (int i = 5; i < 12; ++i) EXPECT_EQ(wait(below), std::to_string(i) + std::string(1000, ' '));
  EXPECT_EQ(wait(slow), "0" + std::string(1000, ' '));
  Follower at_end(log.reader(log.end_lsn()));
  ASSERT_TRUE(log.trim_before(log.end_lsn()));
  ASSERT_TRUE(log.append("12"));
  EXPECT_EQ(wait(below), "12");
  // The segment that it has open it may read to its end.
  std::string got = wait(slow);
  while (got[0] < '3') got = wait(slow);
  EXPECT_EQ(got, "trimmed");
  EXPECT_EQ(wait(slow), "trimmed");
  ASSERT_TRUE(log.close());
  EXPECT_EQ(at_end.got(), (std::vector<std::string>{"12", "closed"}));
}

TEST_F(FollowTest, wait_at_a_wrong_position_says_so_at_once) {
  Log log = open();
  ASSERT_TRUE(log.append("0"));
  Reader reader = log.reader(Lsn(1));
  EXPECT_EQ(wait(reader), "not_found");
  EXPECT_EQ(wait(reader), "not_found");
  ASSERT_TRUE(log.close());
  Reader closed = log.reader(Lsn(0));
  EXPECT_EQ(wait(closed), "closed");
  EXPECT_EQ(wait(closed), "closed");
}

}  // namespace
}  // namespace writeahead::testing
