// Goal: a few followers are woken at each commit, a crowd once its rest is over; and news are never
// left lying. Method: followers that are a number, and a clock that stands still but for its looks.
#include "commit/follower_alarm.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>

#include "writeahead/testing/sim_env.h"

namespace writeahead::internal {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

class FollowerAlarmTest : public ::testing::Test {
 protected:
  /// Woken, told of more, and about to be woken again.
  void gather_crowd() {
    asleep_ = 10;
    alarm_.ring();
    alarm_.ring();
    pass(milliseconds(3));
  }
  void pass(nanoseconds time) { env_.advance_ns(static_cast<uint64_t>(time.count())); }

  testing::SimEnv env_{testing::SimDisk()};
  uint64_t asleep_ = 0;
  int wakes_ = 0;
  int calls_for_step_ = 0;
  std::function<void()> meanwhile_;  // while they are being woken
  FollowerAlarm alarm_{env_,
                       [this] {
                         ++wakes_;
                         if (meanwhile_) meanwhile_();
                         return asleep_;
                       },
                       [this] { ++calls_for_step_; }};
};

TEST_F(FollowerAlarmTest, few_are_woken_at_each_commit) {
  asleep_ = FollowerAlarm::kFew;
  for (int i = 1; i <= 5; ++i) {
    alarm_.ring();
    EXPECT_EQ(wakes_, i);
    EXPECT_EQ(alarm_.step(), nanoseconds::max());
  }
  EXPECT_EQ(wakes_, 5);
  EXPECT_EQ(calls_for_step_, 0);
}

TEST_F(FollowerAlarmTest, crowd_is_woken_by_the_step_once_its_rest_is_over) {
  asleep_ = FollowerAlarm::kFew + 1;
  alarm_.ring();
  EXPECT_EQ(wakes_, 1);
  EXPECT_EQ(calls_for_step_, 1);
  for (int i = 0; i < 3; ++i) alarm_.ring();
  const nanoseconds rest = alarm_.step();
  EXPECT_GT(rest, microseconds(900));
  EXPECT_LE(rest, milliseconds(1));
  EXPECT_EQ(wakes_, 1);
  pass(rest);
  EXPECT_GT(alarm_.step(), microseconds(900));
  EXPECT_EQ(wakes_, 2);
  // Nobody has to ask for the step as long as it comes again by itself.
  EXPECT_EQ(calls_for_step_, 1);
}

TEST_F(FollowerAlarmTest, large_crowd_rests_for_longer_within_a_bound) {
  for (const auto& [followers, ms] : {std::pair(20, 4), {100, 10}, {10'000, 10}}) {
    asleep_ = static_cast<uint64_t>(followers);
    alarm_.ring();
    const nanoseconds rest = alarm_.step();
    EXPECT_GT(rest, milliseconds(ms) - microseconds(100)) << followers;
    EXPECT_LE(rest, milliseconds(ms)) << followers;
    pass(rest);
    EXPECT_EQ(alarm_.step(), nanoseconds::max());
  }
}

TEST_F(FollowerAlarmTest, crowd_without_news_is_woken_at_once_by_the_next) {
  asleep_ = 10;
  alarm_.ring();
  pass(milliseconds(2));
  EXPECT_EQ(alarm_.step(), nanoseconds::max());
  EXPECT_EQ(wakes_, 1);
  alarm_.ring();
  EXPECT_EQ(wakes_, 2);
  EXPECT_EQ(calls_for_step_, 2);
}

TEST_F(FollowerAlarmTest, crowd_that_went_away_is_woken_at_each_commit_again) {
  gather_crowd();
  asleep_ = 1;
  EXPECT_EQ(alarm_.step(), nanoseconds::max());
  EXPECT_EQ(wakes_, 2);
  alarm_.ring();
  EXPECT_EQ(wakes_, 3);
}

/// A commit at that moment relies on the step, which is about to stop.
TEST_F(FollowerAlarmTest, news_that_come_when_a_crowd_ends_are_told) {
  gather_crowd();
  asleep_ = 1;
  meanwhile_ = [this] {
    meanwhile_ = nullptr;
    alarm_.ring();
  };
  EXPECT_EQ(alarm_.step(), nanoseconds::max());
  EXPECT_EQ(wakes_, 3);
}

TEST_F(FollowerAlarmTest, step_that_finds_a_new_crowd_comes_again) {
  gather_crowd();
  asleep_ = 1;
  meanwhile_ = [this] {
    meanwhile_ = [this] {
      meanwhile_ = nullptr;
      asleep_ = 10;
    };
    alarm_.ring();
  };
  EXPECT_LE(alarm_.step(), milliseconds(2));
  EXPECT_EQ(wakes_, 3);
}

}  // namespace
}  // namespace writeahead::internal
