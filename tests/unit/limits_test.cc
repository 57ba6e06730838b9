// Goal: what the limits by bytes, count and age drop, and what appends get when a quota is used up.
// Method: a simulated machine whose clocks the test moves, with background work done step by step;
// threads on it where an append has to wait.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/error_of.h"
#include "support/hooked_env.h"
#include "support/script.h"
#include "support/watched_thread.h"
#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

constexpr uint64_t kSegmentBytes = 8192;
constexpr uint64_t kPreparedBytes = 12288;  // with the reserve for the seal
constexpr uint64_t kSecond = 1'000'000'000;

Options limits_options(SimEnv& env) {
  return {.segment_bytes = kSegmentBytes,
          .standby_segments = 0,
          .env = &env,
          .background = BackgroundWork::stepped};
}

/// Takes a segment of its own.
Result<Lsn> append_one(Log& log) { return log.append(std::string(3000, 'r')); }

void append(Log& log, size_t count) {
  for (size_t i = 0; i < count; ++i) ASSERT_TRUE(append_one(log));
}

void work(Log& log) {
  while (log.step_background()) {
  }
}

uint64_t bytes_of(const Log& log) {
  uint64_t bytes = 0;
  for (const SegmentInfo& segment : log.segments()) bytes += segment.bytes;
  return bytes;
}

TEST(Limits, segments_above_the_count_are_dropped) {
  SimEnv env{SimDisk{}};
  Options chosen = limits_options(env);
  chosen.retain_segments = 3;
  auto log = Log::open(kLogPath, chosen).value();
  append(log, 3);
  work(log);
  EXPECT_EQ(log.segments().size(), 3U);
  EXPECT_EQ(log.first_lsn(), log.segments().front().base_lsn);
  append(log, 5);
  work(log);
  EXPECT_EQ(log.segments().size(), 3U);
  EXPECT_EQ(log.find_ordinal(4).error().code(), ErrorCode::trimmed);
  EXPECT_TRUE(log.find_ordinal(5));
}

TEST(Limits, bytes_above_the_limit_are_dropped_but_never_the_last_segment) {
  SimEnv env{SimDisk{}};
  Options chosen = limits_options(env);
  chosen.retain_bytes = 2 * kPreparedBytes;
  auto log = Log::open(kLogPath, chosen).value();
  append(log, 6);
  EXPECT_EQ(bytes_of(log), 6 * kPreparedBytes);
  work(log);
  EXPECT_EQ(bytes_of(log), 2 * kPreparedBytes);
  ASSERT_TRUE(log.close());
  chosen.retain_bytes = 1;
  log = Log::open(kLogPath, chosen).value();
  work(log);
  EXPECT_EQ(log.segments().size(), 1U);
  EXPECT_TRUE(log.find_ordinal(5));
}

/// Segments of a log that has to keep three, when background work looked at it while the frame that
/// begins the fourth was being written.
size_t segments_left(Options chosen, SimEnv& env) {
  Log* watched = nullptr;
  const std::unique_ptr<Env> hooked = make_hooked_env(env, [&](CallKind kind, std::string_view) {
    if (kind != CallKind::dsync_write || watched == nullptr) return;
    Log& log = *std::exchange(watched, nullptr);
    EXPECT_EQ(log.segments().size(), 3U) << "the fourth is not there yet";
    work(log);
  });
  chosen.env = hooked.get();
  auto log = Log::open(kLogPath, chosen).value();
  append(log, 3);
  work(log);
  watched = &log;
  append(log, 1);
  EXPECT_EQ(watched, nullptr);
  work(log);
  return log.segments().size();
}

TEST(Limits, segment_that_was_on_its_way_when_they_were_judged_is_judged_again) {
  SimEnv env{SimDisk{}};
  Options chosen = limits_options(env);
  chosen.retain_segments = 3;
  EXPECT_EQ(segments_left(chosen, env), 3U);
  SimEnv other{SimDisk{}};
  chosen = limits_options(other);
  chosen.retain_bytes = 3 * kPreparedBytes;
  EXPECT_EQ(segments_left(chosen, other), 3U);
}

TEST(Limits, age_drops_segments_of_an_idle_log_and_at_last_the_last_one) {
  SimEnv env{SimDisk{}};
  Options chosen = limits_options(env);
  chosen.retain_seconds = 60;
  auto log = Log::open(kLogPath, chosen).value();
  append(log, 2);
  work(log);
  env.advance_ns(30 * kSecond);
  append(log, 2);
  work(log);
  ASSERT_EQ(log.segments().size(), 4U);
  env.advance_ns(31 * kSecond);
  work(log);
  // The second was closed by the append of the third, and is as old as that.
  EXPECT_EQ(log.segments().size(), 3U);
  env.advance_ns(31 * kSecond);
  work(log);
  EXPECT_TRUE(log.is_empty());
  const Lsn end = log.end_lsn();
  const auto next = append_one(log);
  ASSERT_TRUE(next);
  EXPECT_GE(*next, end);
  EXPECT_EQ(log.read(*next)->ordinal, 4U);
}

TEST(Limits, a_wall_clock_that_jumps_drops_nothing) {
  SimEnv env{SimDisk{}};
  Options chosen = limits_options(env);
  chosen.retain_seconds = 60;
  auto log = Log::open(kLogPath, chosen).value();
  append(log, 3);
  work(log);
  env.set_wall_clock_ns(env.wall_clock_ns() + 3600 * kSecond);
  append(log, 1);
  work(log);
  EXPECT_EQ(log.segments().size(), 4U);
}

TEST(Limits, age_goes_on_across_a_reopening) {
  SimEnv env{SimDisk{}};
  Options chosen = limits_options(env);
  chosen.retain_seconds = 60;
  auto log = Log::open(kLogPath, chosen).value();
  append(log, 3);
  ASSERT_TRUE(log.close());
  env.advance_ns(59 * kSecond);
  log = Log::open(kLogPath, chosen).value();
  work(log);
  EXPECT_EQ(log.segments().size(), 3U);
  env.advance_ns(2 * kSecond);
  work(log);
  EXPECT_TRUE(log.is_empty());
}

TEST(Limits, holds_are_obeyed_until_they_are_advanced) {
  SimEnv env{SimDisk{}};
  Options chosen = limits_options(env);
  chosen.retain_segments = 1;
  auto log = Log::open(kLogPath, chosen).value();
  append(log, 4);
  auto hold = log.hold("reader", log.find_ordinal(2).value()).value();
  work(log);
  EXPECT_EQ(log.segments().size(), 2U);
  ASSERT_TRUE(hold.release());
  work(log);
  EXPECT_EQ(log.segments().size(), 1U);
}

TEST(Quota, appends_are_refused_above_it_and_go_on_after_a_trim) {
  SimEnv env{SimDisk{}};
  Options chosen = limits_options(env);
  chosen.quota_bytes = 3 * kPreparedBytes;
  auto log = Log::open(kLogPath, chosen).value();
  append(log, 3);
  const auto refused = append_one(log);
  ASSERT_FALSE(refused);
  EXPECT_EQ(code_of(refused), ErrorCode::no_space);
  EXPECT_THAT(std::string(refused.error().message()), ::testing::HasSubstr("quota"));
  // A record that the last segment has room for needs nothing.
  EXPECT_TRUE(log.append("small"));
  ASSERT_TRUE(log.trim_before(log.find_ordinal(1).value()));
  EXPECT_TRUE(append_one(log));
  EXPECT_EQ(code_of(append_one(log)), ErrorCode::no_space);
  // What is on disk counts at the next opening.
  ASSERT_TRUE(log.close());
  log = Log::open(kLogPath, chosen).value();
  EXPECT_EQ(code_of(append_one(log)), ErrorCode::no_space);
}

TEST(Quota, standbys_count_and_are_not_made_above_it) {
  SimEnv env{SimDisk{}};
  Options chosen = limits_options(env);
  chosen.quota_bytes = 4 * kPreparedBytes;
  chosen.standby_segments = 8;
  auto log = Log::open(kLogPath, chosen).value();
  append(log, 1);
  work(log);
  EXPECT_EQ(log.stats().standbys, 3U);
  append(log, 3);
  EXPECT_EQ(code_of(append_one(log)), ErrorCode::no_space);
}

TEST(Quota, a_record_that_it_can_never_hold_is_refused_and_not_waited_for) {
  SimEnv env{SimDisk{}};
  Options chosen = limits_options(env);
  chosen.quota_bytes = 3 * kPreparedBytes;
  chosen.quota_policy = QuotaPolicy::wait;
  auto log = Log::open(kLogPath, chosen).value();
  append(log, 1);
  EXPECT_EQ(code_of(log.append(std::string(1 << 20, 'x'))), ErrorCode::no_space);
}

TEST(Quota, waiting_appends_go_on_when_a_limit_gives_space_back) {
  SimEnv env{SimDisk{}};
  Options chosen = limits_options(env);
  chosen.quota_bytes = 4 * kPreparedBytes;
  chosen.quota_policy = QuotaPolicy::wait;
  auto log = Log::open(kLogPath, chosen).value();
  std::vector<std::thread> threads;
  threads.reserve(2);
  for (int i = 0; i < 2; ++i) threads.emplace_back([&log] { append(log, 20); });
  while (log.durable_lsn() == log.first_lsn() || log.last()->ordinal < 39) {
    if (!log.is_empty()) {
      ASSERT_TRUE(log.trim_before(log.last()->lsn));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(log.last()->ordinal, 39U);
}

/// An append that waits for room in a quota of three segments, which are full.
class QuotaWait : public ::testing::Test {
 protected:
  QuotaWait() {
    Options chosen = limits_options(env_);
    chosen.quota_bytes = 3 * kPreparedBytes;
    chosen.quota_policy = QuotaPolicy::wait;
    log_.emplace(Log::open(kLogPath, chosen).value());
    append(*log_, 3);
  }
  void begin() {
    waiting_.emplace([this](const std::stop_token&) { answer_ = append_one(*log_); });
    EXPECT_TRUE(waiting_->falls_asleep());
  }
  void expect_woken() {
    const bool is_woken = waiting_->was_woken();
    EXPECT_TRUE(is_woken);
    // Else it would sleep for ever.
    if (!is_woken) static_cast<void>(log_->close());
    waiting_->join();
    EXPECT_TRUE(answer_ && *answer_);
  }
  Result<void> trim() { return log_->trim_before(log_->segments()[1].base_lsn); }

  SimEnv env_{SimDisk{}};
  std::optional<Log> log_;
  std::optional<Result<Lsn>> answer_;
  std::optional<test::WatchedThread> waiting_;
};

TEST_F(QuotaWait, is_ended_by_the_trim_that_gives_space_back) {
  begin();
  EXPECT_TRUE(trim());
  expect_woken();
}

TEST_F(QuotaWait, is_ended_by_background_work_alone_that_gives_space_back) {
  // Neither the trim nor the append itself can remove what was trimmed.
  env_.fail_call(env_.calls(CallKind::remove) + 1, EBUSY, FaultSpan::for_ever, CallKind::remove);
  ASSERT_TRUE(trim());
  begin();
  work(*log_);
  EXPECT_FALSE(waiting_->was_woken());
  env_.clear_faults();
  work(*log_);
  expect_woken();
}

TEST(Quota, closing_ends_the_wait) {
  SimEnv env{SimDisk{}};
  Options chosen = limits_options(env);
  chosen.quota_bytes = 2 * kPreparedBytes;
  chosen.quota_policy = QuotaPolicy::wait;
  auto log = Log::open(kLogPath, chosen).value();
  append(log, 2);
  std::thread waiting([&log] { EXPECT_EQ(code_of(append_one(log)), ErrorCode::closed); });
  ASSERT_TRUE(log.close());
  waiting.join();
}

}  // namespace
}  // namespace writeahead::testing
