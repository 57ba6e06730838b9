// Goal: whatever ends a log, failure, close or want of memory, every one who waits is answered,
// once, and nothing is acknowledged behind it. Method: SimEnv, with writes that are held in flight
// while something else happens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/follower.h"
#include "support/hooked_env.h"
#include "support/sanitizers.h"
#include "support/scratch_directory.h"
#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

using test::Follower;
using test::kIsSanitized;
using ::testing::Each;
using ::testing::SizeIs;

/// A coroutine that nobody waits for.
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

/// Threads that make one call each, and what they were answered.
class Callers {
 public:
  template <class Call>
  void start(Call call) {
    threads_.emplace_back([this, call] {
      const auto answer = call();
      const std::lock_guard lock(mutex_);
      codes_.push_back(answer ? std::nullopt : std::optional(answer.error().code()));
    });
  }
  [[nodiscard]] size_t answered() {
    const std::lock_guard lock(mutex_);
    return codes_.size();
  }
  /// Waits for all of them.
  std::vector<std::optional<ErrorCode>> codes() {
    threads_.clear();
    return codes_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::optional<ErrorCode>> codes_;
  std::vector<std::jthread> threads_;
};

class EndingTest : public ::testing::Test {
 protected:
  Log open(Options options = {}) {
    options.env = &env_;
    options.background = BackgroundWork::stepped;
    options.standby_segments = 0;
    return Log::open("/log", options).value();
  }
  static void step(Log& log) {
    while (log.step_background()) {
    }
  }
  void fail_next(CallKind kind) {
    env_.fail_call(env_.calls(kind) + 1, EIO, FaultSpan::once, kind);
  }

  SimEnv env_{SimDisk()};
};

Detached await_one(Log& log, std::vector<ErrorCode>& told) {
  const auto lsn = co_await log.append_async("awaited");
  told.push_back(lsn ? ErrorCode::not_found : lsn.error().code());
}

// The write was done, but somebody else had found by then that the storage fails.
TEST_F(EndingTest, background_failure_between_a_write_and_its_answer_fails_the_append) {
  Log log = open();
  const Lsn first = log.append("first").value();
  env_.hold_writes(true);
  Callers callers;
  callers.start([&] { return log.append("second"); });
  ASSERT_TRUE(env_.wait_for_held_writes(1));
  env_.advance_ns(2'000'000'000);
  fail_next(CallKind::dsync_write);  // That of the root, which is due.
  step(log);
  EXPECT_EQ(log.append("third").error().code(), ErrorCode::failed);
  EXPECT_EQ(callers.answered(), 0U);
  env_.release_write(0);
  EXPECT_THAT(callers.codes(), Each(std::optional(ErrorCode::failed)));
  EXPECT_EQ(log.last()->lsn, first) << "what was not acknowledged is not shown";
  EXPECT_EQ(log.close().error().code(), ErrorCode::failed);
}

TEST_F(EndingTest, failure_answers_waiters_of_every_kind_once) {
  Log log = open({.quota_bytes = 3 * 12'288,
                  .quota_policy = QuotaPolicy::wait,
                  .segment_bytes = 8192,
                  .async_bytes = 2000});
  ASSERT_TRUE(log.append("good"));
  Follower follower(log.reader(log.durable_lsn()));
  env_.hold_writes(true);
  Callers callers;
  callers.start([&] { return log.append("1"); });
  ASSERT_TRUE(env_.wait_for_held_writes(1));
  // Its frame is open while the write before is held.
  std::vector<ErrorCode> told;
  const auto note = [&](const auto& answer) {
    told.push_back(answer ? ErrorCode::not_found : answer.error().code());
  };
  log.append_async("async", note);
  Batch batch;
  batch.add("one");
  batch.add("two");
  log.append_async(batch, note);
  await_one(log, told);
  const Lsn buffered = log.append("buffered", {.durability = Durability::buffered}).value();
  callers.start([&] { return log.append("follows"); });
  callers.start([&] { return log.append(batch); });
  callers.start([&] { return log.append("written", {.durability = Durability::written}); });
  callers.start([&] { return log.sync(); });
  callers.start([&] { return log.wait_durable(buffered); });
  callers.start([&] { return log.trim_before(log.end_lsn()); });
  // Above the budget, and above what the quota has room for.
  callers.start(
      [&] { return log.append(std::string(1900, 'b'), {.durability = Durability::buffered}); });
  callers.start([&] { return log.append(std::string(20'000, 'q')); });
  env_.advance_ns(2'000'000'000);
  fail_next(CallKind::dsync_write);
  // The held write succeeds and the next one fails.
  env_.hold_writes(false);
  env_.release_write(0);
  const auto codes = callers.codes();
  EXPECT_THAT(codes, SizeIs(9));
  size_t failed = 0;
  for (const auto& code : codes) {
    EXPECT_TRUE(!code || *code == ErrorCode::failed) << static_cast<int>(*code);
    failed += code ? 1 : 0;
  }
  EXPECT_GE(failed, 7U) << "at most those that were in the write before succeeded";
  step(log);
  EXPECT_THAT(told, SizeIs(3));
  EXPECT_THAT(told, Each(ErrorCode::failed));
  EXPECT_EQ(follower.got().back(), "failed");
  EXPECT_EQ(log.close().error().code(), ErrorCode::failed);
  EXPECT_THAT(told, SizeIs(3));
}

TEST_F(EndingTest, close_without_memory_says_so_and_gives_the_log_up) {
  bool is_short = false;
  const auto hooked = make_hooked_env(env_, [&](CallKind kind, std::string_view name) {
    if (is_short && kind != CallKind::read && name == "log.root") throw std::bad_alloc();
  });
  const Options options{.env = hooked.get(), .background = BackgroundWork::stepped};
  auto log = Log::open("/log", options).value();
  const Lsn lsn = log.append("kept").value();
  is_short = true;
  const auto closed = log.close();
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code(), ErrorCode::no_space) << closed.error().message();
  EXPECT_EQ(log.append("late").error().code(), ErrorCode::closed);
  EXPECT_EQ(log.read(lsn).error().code(), ErrorCode::closed);
  is_short = false;
  const auto again = Log::open("/log", options);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->recovery_report().outcome, RecoveryReport::Outcome::unclean);
  EXPECT_TRUE(again->read(lsn));
}

TEST(EndingOnDisk, close_tells_a_million_async_appends_that_are_in_flight) {
  constexpr size_t kAppends = kIsSanitized ? 50'000 : 1'000'000;
  const test::ScratchDirectory scratch;
  Log log = Log::open(scratch.path("log"), {.async_bytes = 1ULL << 30}).value();
  std::atomic<size_t> told = 0;
  std::atomic<size_t> wrong = 0;
  Lsn last;
  for (size_t i = 0; i < kAppends; ++i) {
    log.append_async("12345678", [&](const Result<Lsn>& lsn) {
      ++told;
      if (!lsn || *lsn <= last) ++wrong;
      if (lsn) last = *lsn;
    });
  }
  ASSERT_TRUE(log.close());
  EXPECT_EQ(told, kAppends);
  EXPECT_EQ(wrong, 0U);
  const Log again = Log::open(scratch.path("log")).value();
  EXPECT_EQ(again.recovery_report().records, kAppends);
}

// A wall clock says when, and never in which order.
TEST_F(EndingTest, wall_clock_that_jumps_never_lets_frame_times_fall) {
  constexpr uint64_t kHour = 3'600'000'000'000;
  uint64_t times[] = {100 * kHour, 50 * kHour, 200 * kHour, 0, 201 * kHour, 10 * kHour};
  std::vector<uint64_t> seen;
  for (int opening = 0; opening < 3; ++opening) {
    Log log = open({.segment_bytes = 8192});
    for (const uint64_t time : times) {
      env_.set_wall_clock_ns(time + static_cast<uint64_t>(opening) * kHour);
      const Lsn lsn = log.append(std::string(1500, 'x')).value();
      seen.push_back(log.read(lsn)->time_ns);
      if (time == 0) {
        // A cut and what is behind it are no exception.
        ASSERT_TRUE(log.truncate_from(lsn));
        seen.push_back(log.read(log.append("y").value())->time_ns);
      }
      step(log);
    }
    EXPECT_TRUE(std::ranges::is_sorted(seen));
    EXPECT_GE(log.find_time(seen.front())->value(), log.first_lsn().value());
    env_.set_wall_clock_ns(0);
    if (opening != 1) {
      ASSERT_TRUE(log.close());
    }
  }
  Log log = open();
  uint64_t before = 0;
  for (const auto& record : log.reader(log.first_lsn())) {
    ASSERT_TRUE(record);
    EXPECT_GE(record->time_ns, before);
    before = record->time_ns;
  }
}

// Each of the threads that refuse something runs callbacks when nobody else does any more.
TEST_F(EndingTest, refusals_of_a_closed_log_are_told_once_whoever_asks) {
  constexpr int kThreads = 4;
  constexpr int kAppends = 200;
  Log log = open();
  ASSERT_TRUE(log.close());
  std::atomic<int> told = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (int append = 0; append < kAppends; ++append) {
          log.append_async("late", [&](const Result<Lsn>& lsn) {
            EXPECT_EQ(lsn.error().code(), ErrorCode::closed);
            ++told;
          });
        }
      });
    }
  }
  EXPECT_EQ(told, kThreads * kAppends);
}

}  // namespace
}  // namespace writeahead::testing
