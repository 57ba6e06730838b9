// Goal: a log that cannot get its next segment, for whatever reason, uses up what is prepared, then
// refuses with no_space and in order, and goes on when the reason is gone; it never fails, and what
// it acknowledged is there. Method: SimEnv, with calls that fail as the system lets them fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "support/crash_run.h"
#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

class ShortageTest : public ::testing::Test {
 protected:
  static constexpr uint64_t kStandbys = 3;
  static constexpr size_t kLarge = 3000;  // one a segment

  Log open(Options options = {}) {
    options.segment_bytes = 8192;
    options.env = &env_;
    options.background = BackgroundWork::stepped;
    if (!options.standby_segments) options.standby_segments = kStandbys;
    return Log::open("/log", options).value();
  }
  static void step(Log& log) {
    while (log.step_background()) {
    }
  }
  /// From now on each call of this kind fails so.
  void refuse(CallKind kind, int error) {
    env_.fail_call(env_.calls(kind) + 1, error, FaultSpan::for_ever, kind);
  }
  void append(Log& log, size_t bytes) {
    const auto lsn = log.append(std::string(bytes, 'x'));
    ASSERT_TRUE(lsn) << lsn.error().message();
    acknowledged_.push_back(*lsn);
  }
  void expect_refused(Log& log, size_t bytes, int error) {
    const auto refused = log.append(std::string(bytes, 'y'));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::no_space) << refused.error().message();
    EXPECT_EQ(refused.error().system_error(), error);
  }
  /// What is there after a power cut that lost all that it could.
  void expect_all_after_power_cut() {
    env_.crash_now();
    SimEnv next(env_.crashed_disk().crash({}));
    const auto log = Log::open("/log", {.env = &next, .background = BackgroundWork::stepped});
    ASSERT_TRUE(log) << log.error().message();
    EXPECT_EQ(log->recovery_report().records, acknowledged_.size());
    for (const Lsn lsn : acknowledged_) EXPECT_TRUE(log->read(lsn)) << lsn.value();
  }

  SimEnv env_{SimDisk()};
  std::vector<Lsn> acknowledged_;
};

class RefusedCreation : public ShortageTest, public ::testing::WithParamInterface<int> {};

// ENOSPC is want of inodes, too. Whoever may not create any more is no reason to lose the log.
TEST_P(RefusedCreation, is_no_space_once_the_ready_segments_are_used_and_never_fails_the_log) {
  Log log = open();
  append(log, kLarge);
  step(log);
  ASSERT_EQ(log.stats().standbys, kStandbys);
  refuse(CallKind::create, GetParam());
  for (uint64_t i = 0; i < kStandbys; ++i) {
    append(log, kLarge);
    step(log);
  }
  for (int i = 0; i < 3; ++i) {
    expect_refused(log, kLarge, GetParam());
    step(log);
    append(log, 10);  // What needs no segment is taken.
  }
  EXPECT_EQ(log.stats().no_space, 3U);
  EXPECT_TRUE(log.sync());
  EXPECT_TRUE(log.trim_before(acknowledged_[1]));
  acknowledged_.erase(acknowledged_.begin());
  env_.clear_faults();
  env_.advance_ns(1'000'000'000);
  append(log, kLarge);
  step(log);
  EXPECT_EQ(log.stats().standbys, kStandbys) << "the keeper tries again";
  append(log, kLarge);
  expect_all_after_power_cut();
}

INSTANTIATE_TEST_SUITE_P(Errors, RefusedCreation,
                         ::testing::Values(ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM, EACCES, EPERM,
                                           EROFS),
                         [](const auto& error) {
                           return std::string(::strerrorname_np(error.param));
                         });

// A file system that finds room for bytes only when they are synced.
TEST_F(ShortageTest, sync_of_a_prepared_segment_that_finds_no_room_is_no_space) {
  for (const int error : {ENOSPC, EDQUOT}) {
    Log log = open({.standby_segments = 0});
    append(log, kLarge);
    refuse(CallKind::sync, error);
    expect_refused(log, kLarge, error);
    append(log, 10);
    env_.clear_faults();
    append(log, kLarge);
    ASSERT_TRUE(log.close());
  }
  expect_all_after_power_cut();
}

// The part that was made longer is not durable, and no header may count on it.
TEST_F(ShortageTest, segment_that_could_not_be_made_long_enough_serves_smaller_records) {
  Log log = open({.standby_segments = 1});
  append(log, kLarge);
  step(log);
  env_.set_free_bytes(3U << 19);
  expect_refused(log, 4 << 20, ENOSPC);
  append(log, kLarge);
  append(log, 10);
  env_.set_free_bytes(UINT64_MAX);
  expect_all_after_power_cut();
}

TEST_F(ShortageTest, sync_of_a_longer_segment_that_finds_no_room_is_no_space) {
  Log log = open({.standby_segments = 1});
  append(log, kLarge);
  step(log);
  refuse(CallKind::sync, ENOSPC);
  expect_refused(log, 40'000, ENOSPC);
  env_.clear_faults();
  append(log, kLarge);
  append(log, 40'000);
  expect_all_after_power_cut();
}

// In the order of the calls of one thread, whichever call it is.
TEST_F(ShortageTest, no_later_append_passes_an_async_one_that_was_refused) {
  Log log = open({.standby_segments = 0});
  append(log, kLarge);
  env_.set_free_bytes(0);
  std::vector<ErrorCode> told;
  const auto note = [&](const Result<Lsn>& lsn) {
    told.push_back(lsn ? ErrorCode::closed : lsn.error().code());
  };
  log.append_async(std::string(kLarge, 'y'), note);
  log.append_async("small", note);
  EXPECT_EQ(log.try_append_async("small", {}, note).error().code(), ErrorCode::no_space);
  EXPECT_EQ(log.append("small").error().code(), ErrorCode::no_space);
  EXPECT_EQ(log.append("small", {.durability = Durability::written}).error().code(),
            ErrorCode::no_space);
  EXPECT_EQ(log.append("small", {.durability = Durability::buffered}).error().code(),
            ErrorCode::no_space);
  Batch batch;
  batch.add("small");
  EXPECT_EQ(log.append(batch).error().code(), ErrorCode::no_space);
  EXPECT_TRUE(log.sync());
  EXPECT_TRUE(told.empty());
  step(log);
  EXPECT_THAT(told, ::testing::ElementsAre(ErrorCode::no_space, ErrorCode::no_space));
  append(log, 10);
  env_.set_free_bytes(UINT64_MAX);
  append(log, kLarge);
  expect_all_after_power_cut();
}

}  // namespace
}  // namespace writeahead::testing
