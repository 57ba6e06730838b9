// Goal: a reader in another process gets each durable record once, in order, and no byte that is
// wrong, whatever becomes of the writer; and its waits end as they should.
// Method: processes on one simulated machine, with the reader on a thread of its own.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "support/follower.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

using namespace std::chrono_literals;
using test::Follower;
using test::numbers;
using test::wait;

class FollowBesideTest : public ::testing::Test {
 protected:
  static Log open(SimEnv& env) {
    return Log::open("/log", {.segment_bytes = 4608,
                              .standby_segments = 1,
                              .env = &env,
                              .background = BackgroundWork::stepped})
        .value();
  }
  ReadOnlyLog open_reading() { return ReadOnlyLog::open("/log", {.env = reading_.get()}).value(); }
  static void append(Log& log, int from, int to) {
    for (int i = from; i < to; ++i) ASSERT_TRUE(log.append(std::to_string(i)));
  }

  SimEnv env_{SimDisk()};
  std::unique_ptr<SimEnv> reading_ = env_.another_process(2000);
};

TEST_F(FollowBesideTest, follower_is_woken_and_gets_each_record_once_across_rotations) {
  constexpr int kRecords = 2000;
  Log log = open(env_);
  ReadOnlyLog read = open_reading();
  Follower follower(read.reader(read.first_lsn()));
  ASSERT_TRUE(env_.wait_for_waiters(1));
  for (int i = 0; i < kRecords; ++i) {
    append(log, i, i + 1);
    while (log.step_background()) {
    }
    if (i % 50 == 0) follower.await(i + 1);
    if (i % 300 == 299) {
      follower.await(i + 1);
      ASSERT_TRUE(log.trim_before(log.end_lsn()));
    }
  }
  follower.await(kRecords);
  EXPECT_EQ(read.durable_lsn(), log.durable_lsn());
  follower.stop();
  EXPECT_EQ(follower.got(), numbers(kRecords, "stopped"));
}

TEST_F(FollowBesideTest, follower_is_woken_and_need_not_poll) {
  constexpr int kRecords = 20;
  Log log = open(env_);
  ReadOnlyLog read = open_reading();
  // A poll would take longer than any machine is busy.
  env_.set_shortest_wait_ns(8'000'000'000);
  Follower follower(read.reader(read.first_lsn()));
  for (int i = 0; i < kRecords; ++i) {
    ASSERT_TRUE(env_.wait_for_waiters(1));
    append(log, i, i + 1);
    follower.await(i + 1);
    ASSERT_EQ(env_.timed_out_waits(), 0U) << "nobody woke the follower at record " << i;
  }
  follower.stop();
  EXPECT_EQ(follower.got(), numbers(kRecords, "stopped"));
}

TEST_F(FollowBesideTest, crowd_is_woken_by_the_background) {
  constexpr size_t kCrowd = 6;
  Log log = open(env_);
  ReadOnlyLog read = open_reading();
  env_.set_shortest_wait_ns(8'000'000'000);
  std::vector<std::unique_ptr<Follower>> followers;
  for (size_t i = 0; i < kCrowd; ++i) {
    followers.push_back(std::make_unique<Follower>(read.reader(read.first_lsn())));
  }
  ASSERT_TRUE(env_.wait_for_waiters(kCrowd));
  append(log, 0, 1);
  for (const auto& follower : followers) follower->await(1);
  ASSERT_TRUE(env_.wait_for_waiters(kCrowd));
  // Nobody is told of these until their rest is over.
  append(log, 1, 3);
  while (log.step_background()) {
  }
  for (const auto& follower : followers) EXPECT_EQ(follower->count(), 1U);
  env_.advance_ns(2'000'000);
  while (log.step_background()) {
  }
  for (const auto& follower : followers) follower->await(3);
  EXPECT_EQ(env_.timed_out_waits(), 0U);
  for (const auto& follower : followers) follower->stop();
}

TEST_F(FollowBesideTest, log_shows_what_it_knew_until_it_is_asked) {
  Log log = open(env_);
  append(log, 0, 3);
  ReadOnlyLog read = open_reading();
  Reader reader = read.reader(read.first_lsn());
  append(log, 3, 500);
  int count = 0;
  for (const auto& record : read.reader(read.first_lsn())) count += record ? 1 : 0;
  EXPECT_EQ(count, 3);
  EXPECT_EQ(read.records(), 3U);
  ASSERT_TRUE(read.refresh());
  EXPECT_EQ(read.records(), 500U);
  EXPECT_EQ(read.last()->ordinal, 499U);
  EXPECT_TRUE(read.find_ordinal(300));
  EXPECT_EQ(read.segments().size(), log.segments().size());
  append(log, 500, 501);
  for (int i = 0; i < 501; ++i) ASSERT_EQ(wait(reader), std::to_string(i));
  EXPECT_EQ(read.records(), 501U);
  // What is listed and counted is what a fresh opening finds.
  const ReadOnlyLog fresh = open_reading();
  EXPECT_EQ(fresh.durable_lsn(), read.durable_lsn());
}

TEST_F(FollowBesideTest, waits_end_by_time_and_by_stop) {
  Log log = open(env_);
  ReadOnlyLog read = open_reading();
  Reader reader = read.reader(read.first_lsn());
  EXPECT_EQ(wait(reader, {}, 0ns), "timed out");
  EXPECT_EQ(wait(reader, {}, 5ms), "timed out");
  append(log, 0, 1);
  EXPECT_EQ(wait(reader, {}, 0ns), "0");
  for (int i = 0; i < 100; ++i) {
    Follower follower(read.reader(read.durable_lsn()));
    if (i % 2 == 0) {
      ASSERT_TRUE(env_.wait_for_waiters(1));
    }
    follower.stop();
    ASSERT_EQ(follower.got(), numbers(0, "stopped"));
  }
}

TEST_F(FollowBesideTest, follower_goes_on_under_the_next_writer) {
  auto first = env_.another_process(3000);
  auto log = std::make_unique<Log>(open(*first));
  ReadOnlyLog read = open_reading();
  Follower follower(read.reader(read.first_lsn()));
  append(*log, 0, 100);
  follower.await(100);
  ASSERT_TRUE(log->close());
  log = std::make_unique<Log>(open(*first));
  append(*log, 100, 200);
  follower.await(200);
  first->kill();
  log.reset();
  Log next = open(env_);
  append(next, 200, 300);
  follower.await(300);
  EXPECT_EQ(read.epoch(), 3U);
  follower.stop();
  EXPECT_EQ(follower.got(), numbers(300, "stopped"));
}

// The page belongs to whoever has the lock: what is left of an earlier owner leaves it alone.
TEST_F(FollowBesideTest, log_that_was_closed_does_not_silence_its_successor) {
  auto old = std::make_unique<Log>(open(env_));
  append(*old, 0, 1);
  std::optional<Reader> kept(old->reader(old->first_lsn()));
  ASSERT_TRUE(old->close());
  Log next = open(env_);
  old.reset();
  EXPECT_EQ(wait(*kept), "0");
  kept.reset();
  const auto report = ReadOnlyLog::verify("/log", {.env = reading_.get()});
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->is_live);
}

// What was written and not told of is judged as the next opening would judge it.
TEST_F(FollowBesideTest, writer_that_is_killed_leaves_what_the_next_one_keeps) {
  auto first = env_.another_process(3000);
  auto log = std::make_unique<Log>(open(*first));
  append(*log, 0, 5);
  ReadOnlyLog read = open_reading();
  Follower follower(read.reader(read.first_lsn()));
  follower.await(5);
  ASSERT_TRUE(log->append("5", {.durability = Durability::written}));
  ASSERT_TRUE(log->append("6", {.durability = Durability::written}));
  EXPECT_EQ(read.records(), 5U);
  first->kill();
  log.reset();
  follower.await(7);
  Log next = open(env_);
  append(next, 7, 8);
  follower.await(8);
  follower.stop();
  EXPECT_EQ(follower.got(), numbers(8, "stopped"));
}

TEST_F(FollowBesideTest, trims_and_truncations_tell_who_is_concerned) {
  Log log = open(env_);
  std::vector<Lsn> lsns;
  const auto append_large = [&](int from, int to) {
    for (int i = from; i < to; ++i) {
      lsns.push_back(log.append(std::to_string(i) + std::string(1000, ' ')).value());
    }
  };
  const auto payload = [](int i) { return std::to_string(i) + std::string(1000, ' '); };
  append_large(0, 20);
  ReadOnlyLog read = open_reading();
  Follower above(read.reader(lsns[15]));
  above.await(5);
  Reader below = read.reader(lsns[5]);
  Reader unread = read.reader(lsns[12]);
  Reader at_cut = read.reader(lsns[10]);
  ASSERT_TRUE(log.truncate_from(lsns[10]));
  EXPECT_EQ(above.got().back(), "truncated");
  EXPECT_EQ(wait(unread), "truncated");
  EXPECT_EQ(read.durable_lsn(), lsns[10]);
  EXPECT_EQ(read.read(lsns[11]).error().code(), ErrorCode::not_found);
  lsns.resize(10);
  append_large(10, 12);
  EXPECT_EQ(wait(at_cut), payload(10));
  for (int i = 5; i < 12; ++i) ASSERT_EQ(wait(below), payload(i));
  // Cut twice between two looks.
  ASSERT_TRUE(log.truncate_from(lsns[11]));
  ASSERT_TRUE(log.truncate_from(lsns[8]));
  lsns.resize(8);
  append_large(8, 30);
  EXPECT_EQ(wait(below), "truncated");
  Reader slow = read.reader(lsns[2]);
  EXPECT_EQ(wait(slow), payload(2));
  ASSERT_TRUE(log.trim_before(lsns[25]));
  std::string got = wait(slow);
  while (got.ends_with(' ')) got = wait(slow);
  EXPECT_EQ(got, "trimmed");
  EXPECT_GT(read.first_lsn(), lsns[8]);
  EXPECT_EQ(read.read(lsns[3]).error().code(), ErrorCode::trimmed);
  Reader end = read.reader(lsns[29]);
  EXPECT_EQ(wait(end), payload(29));
  ASSERT_TRUE(log.trim_before(log.end_lsn()));
  ASSERT_TRUE(log.append("30"));
  EXPECT_EQ(wait(end), "30");
}

// A record of the old log, read before a truncation is known, is never handed out after it.
TEST_F(FollowBesideTest, reader_that_does_not_wait_hears_of_a_truncation_too) {
  Log log = open(env_);
  append(log, 0, 10);
  ReadOnlyLog read = open_reading();
  Reader reader = read.reader(read.first_lsn());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(reader.next().value());
  const Lsn third = read.find_ordinal(3).value();
  ASSERT_TRUE(log.truncate_from(third));
  append(log, 90, 95);
  const auto record = reader.next();
  ASSERT_TRUE(record);
  ASSERT_FALSE(*record);
  EXPECT_EQ(record->error().code(), ErrorCode::truncated);
}

// Its first write of the root commits it; by then the follower has to ask.
TEST_F(FollowBesideTest, reader_hears_of_a_truncation_that_is_not_done) {
  Log log = open(env_);
  append(log, 0, 10);
  while (log.step_background()) {
  }
  ReadOnlyLog read = open_reading();
  Reader reader = read.reader(read.first_lsn());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(reader.next().value());
  const Lsn third = read.find_ordinal(3).value();
  env_.hold_writes(true);
  std::thread truncating([&] { EXPECT_TRUE(log.truncate_from(third)); });
  EXPECT_TRUE(env_.wait_for_held_writes(1));
  env_.release_write(0);
  EXPECT_TRUE(env_.wait_for_held_writes(1));
  const auto record = reader.next();
  EXPECT_TRUE(record && !*record && record->error().code() == ErrorCode::truncated);
  env_.hold_writes(false);
  env_.release_write(0);
  truncating.join();
}

}  // namespace
}  // namespace writeahead::testing
