// Appends that nobody waits for, levels below durable, and frames that are in flight together: what
// is answered, when, in which order, and what a callback may do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <coroutine>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

using namespace std::chrono_literals;

class AsyncAppendTest : public ::testing::Test {
 protected:
  Log open(Options options) {
    options.env = &env_;
    return Log::open("/log", options).value();
  }
  Log open_stepped(Options options = {}) {
    options.background = BackgroundWork::stepped;
    options.standby_segments = 0;
    return open(options);
  }
  static void step(Log& log) {
    while (log.step_background()) {
    }
  }

  SimEnv env_{SimDisk()};
};

TEST_F(AsyncAppendTest, callbacks_come_once_and_in_the_order_of_the_addresses) {
  constexpr size_t kRecords = 20000;
  std::vector<Lsn> told;  // By one thread at a time: no lock.
  {
    Log log = open({.segment_bytes = 1 << 20, .async_bytes = 100'000});
    for (size_t i = 0; i < kRecords; ++i) {
      log.append_async(std::to_string(i), [&](Result<Lsn> lsn) { told.push_back(lsn.value()); });
    }
    ASSERT_TRUE(log.close());
  }
  ASSERT_EQ(told.size(), kRecords);
  EXPECT_TRUE(std::ranges::is_sorted(told, std::ranges::less_equal{}) ||
              std::ranges::is_sorted(told));
  Log log = open_stepped();
  size_t i = 0;
  for (const auto& record : log.reader(log.first_lsn())) {
    ASSERT_TRUE(record);
    ASSERT_EQ(record->lsn, told[i]);
    const std::string expected = std::to_string(i++);
    ASSERT_EQ(
        std::string(reinterpret_cast<const char*>(record->payload.data()), record->payload.size()),
        expected);
  }
  EXPECT_EQ(i, kRecords);
}

// Nothing else is called in between that would make the background thread look.
TEST_F(AsyncAppendTest, each_is_told_though_nobody_calls_again) {
  std::binary_semaphore told(0);
  Log log = open({.segment_bytes = 1 << 20});
  for (int i = 0; i < 20; ++i) {
    log.append_async("x", [&](const Result<Lsn>& lsn) {
      EXPECT_TRUE(lsn);
      told.release();
    });
    ASSERT_TRUE(told.try_acquire_for(5s)) << i;
  }
}

TEST_F(AsyncAppendTest, batch_and_record_share_a_frame_and_have_addresses_of_their_own) {
  Log log = open_stepped();
  Batch batch;
  batch.add("one");
  batch.add("two");
  std::optional<Result<Lsn>> first;
  std::optional<Result<Appended>> second;
  log.append_async("zero", [&](Result<Lsn> lsn) { first = lsn; });
  log.append_async(batch, [&](Result<Appended> range) { second = range; });
  EXPECT_FALSE(first);
  step(log);
  ASSERT_TRUE(first && *first && second && *second);
  EXPECT_EQ((*second)->first_ordinal, 1U);
  EXPECT_EQ(log.read(**first)->ordinal, 0U);
  EXPECT_EQ(log.read(batch.lsn(1, **second))->ordinal, 2U);
  EXPECT_EQ(log.stats().frames, 1U);
}

TEST_F(AsyncAppendTest, callback_may_append_again) {
  constexpr int kTimes = 10;
  int told = 0;
  Log log = open({});
  std::binary_semaphore done(0);
  std::function<void(Result<Lsn>)> again = [&](const Result<Lsn>& lsn) {
    EXPECT_TRUE(lsn);
    EXPECT_TRUE(log.append("and waits for this one"));
    if (++told < kTimes) {
      log.append_async("more", again);
    } else {
      done.release();
    }
  };
  log.append_async("first", again);
  done.acquire();
  ASSERT_TRUE(log.close());
  EXPECT_EQ(told, kTimes);
}

TEST_F(AsyncAppendTest, callback_may_close_the_log) {
  Log log = open({});
  std::binary_semaphore done(0);
  log.append_async("first", [&](const Result<Lsn>&) {
    EXPECT_TRUE(log.close());
    done.release();
  });
  done.acquire();
  EXPECT_EQ(log.append("late").error().code(), ErrorCode::closed);
}

TEST_F(AsyncAppendTest, callback_may_give_up_the_last_reference) {
  auto log = std::make_shared<Log>(open({}));
  std::binary_semaphore done(0);
  Log& here = *log;
  here.append_async("first", [kept = std::move(log), &done](const Result<Lsn>& lsn) mutable {
    EXPECT_TRUE(lsn);
    kept.reset();
    done.release();
  });
  done.acquire();
  // The lock was given back before the callback returned.
  Log again = open_stepped();
  EXPECT_EQ(again.recovery_report().records, 1U);
}

TEST_F(AsyncAppendTest, where_a_segment_is_missing_it_would_block_until_background_work_made_one) {
  Log log = open_stepped({.segment_bytes = 8192});
  std::vector<Lsn> told;
  const auto try_append = [&] {
    return log.try_append_async(std::string(3000, 'x'), {},
                                [&](Result<Lsn> lsn) { told.push_back(lsn.value()); });
  };
  for (size_t i = 0; i < 3; ++i) {
    // Neither before the first segment nor at a rotation does the caller make one.
    const uint64_t calls = env_.calls();
    const auto refused = try_append();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::would_block);
    EXPECT_EQ(env_.calls(), calls);
    step(log);
    EXPECT_EQ(log.stats().standbys, 1U);
    ASSERT_TRUE(try_append());
    step(log);
    ASSERT_EQ(told.size(), i + 1);
  }
  // It was asked for one, not for a pool.
  EXPECT_EQ(log.stats().standbys, 0U);
}

// Also where a segment that is ready would hold it, but for the room that is kept for the seal.
TEST_F(AsyncAppendTest, record_of_any_size_around_that_of_a_segment_gets_its_room) {
  for (size_t bytes = 7500; bytes < 9000; bytes += 8) {
    SimEnv env{SimDisk()};
    Log log = Log::open("/log", {.segment_bytes = 8192,
                                 .standby_segments = 1,
                                 .env = &env,
                                 .background = BackgroundWork::stepped})
                  .value();
    ASSERT_TRUE(log.append("first"));
    bool is_taken = false;
    for (int attempt = 0; attempt < 3 && !is_taken; ++attempt) {
      step(log);
      const auto taken = log.try_append_async(std::string(bytes, 'x'), {}, [](const auto&) {});
      is_taken = taken.has_value();
      ASSERT_TRUE(taken || taken.error().code() == ErrorCode::would_block);
    }
    EXPECT_TRUE(is_taken) << bytes;
  }
}

TEST_F(AsyncAppendTest, at_a_quota_that_waits_it_would_block_whatever_the_size) {
  constexpr uint64_t kSegment = 12288;  // with its seal
  Log log = open_stepped(
      {.quota_bytes = 3 * kSegment, .quota_policy = QuotaPolicy::wait, .segment_bytes = 8192});
  ASSERT_TRUE(log.append(std::string(3000, 'x')));
  ASSERT_TRUE(log.append(std::string(3000, 'x')));
  const std::string large(9000, 'y');
  int told = 0;
  const auto try_append = [&] {
    return log.try_append_async(large, {}, [&](Result<Lsn> lsn) { told += lsn ? 1 : 0; });
  };
  ASSERT_EQ(try_append().error().code(), ErrorCode::would_block);
  ASSERT_TRUE(log.trim_before(log.last()->lsn));
  for (int i = 0; i < 2 && !try_append(); ++i) step(log);
  step(log);
  EXPECT_EQ(told, 1);
}

TEST_F(AsyncAppendTest, over_the_budget_it_would_block_until_a_frame_is_done) {
  Log log = open_stepped({.async_bytes = 100});
  ASSERT_TRUE(log.append("has made the segment"));
  int told = 0;
  const auto count = [&](const Result<Lsn>& lsn) { told += lsn ? 1 : 1000; };
  // One is let in whatever its size.
  ASSERT_TRUE(log.try_append_async(std::string(500, 'x'), {}, count));
  const auto refused = log.try_append_async("y", {}, count);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::would_block);
  // Whoever waits for the budget does the work.
  log.append_async("z", count);
  EXPECT_EQ(log.stats().frames, 2U);
  step(log);
  EXPECT_EQ(told, 2);
  EXPECT_EQ(log.stats().async_bytes, 0U);
}

// The background thread, in a callback, waits for the budget; what holds the budget is due, and
// whoever led just now wrote something else.
TEST_F(AsyncAppendTest, callback_that_waits_for_the_budget_leads_once_nobody_else_does) {
  Log log = open({.segment_bytes = 1 << 20, .standby_segments = 0, .async_bytes = 1000});
  ASSERT_TRUE(log.append("first"));
  std::binary_semaphore may_append(0);
  std::binary_semaphore appends(0);
  std::counting_semaphore<> tells(0);
  const auto tell = [&](const Result<Lsn>& lsn) {
    EXPECT_TRUE(lsn);
    tells.release();
  };
  log.append_async("has a callback", [&](const Result<Lsn>&) {
    may_append.acquire();
    appends.release();
    log.append_async(std::string(600, 'c'), tell);
  });
  while (log.stats().records < 2) std::this_thread::yield();
  env_.hold_writes(true);
  std::thread leader([&] { EXPECT_TRUE(log.append("leads")); });
  ASSERT_TRUE(env_.wait_for_held_writes(1));
  log.append_async(std::string(900, 'b'), tell);
  may_append.release();
  appends.acquire();
  // Most likely it sleeps by then; if it does not, it leads all the same.
  for (int i = 0; i < 2000; ++i) std::this_thread::yield();
  env_.hold_writes(false);
  env_.release_write(0);
  leader.join();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(tells.try_acquire_for(5s));
}

TEST_F(AsyncAppendTest, failure_is_told_to_all_who_wait_in_any_way) {
  Log log = open_stepped();
  ASSERT_TRUE(log.append("good"));
  std::vector<ErrorCode> codes;
  const auto note = [&](const Result<Lsn>& lsn) {
    codes.push_back(lsn ? ErrorCode::not_found : lsn.error().code());
  };
  log.append_async("one", note);
  const Lsn buffered = log.append("two", {.durability = Durability::buffered}).value();
  log.append_async("three", note);
  std::thread waiter(
      [&] { EXPECT_EQ(log.wait_durable(buffered).error().code(), ErrorCode::failed); });
  env_.fail_call(env_.calls(CallKind::dsync_write) + 1, EIO, FaultSpan::once,
                 CallKind::dsync_write);
  step(log);
  waiter.join();
  EXPECT_THAT(codes, ::testing::ElementsAre(ErrorCode::failed, ErrorCode::failed));
  EXPECT_EQ(log.sync().error().code(), ErrorCode::failed);
  log.append_async("late", note);
  step(log);
  EXPECT_EQ(codes.size(), 3U);
  EXPECT_EQ(log.close().error().code(), ErrorCode::failed);
  log.append_async("after the end", note);
  EXPECT_EQ(codes.size(), 4U);
}

TEST_F(AsyncAppendTest, shortage_refuses_what_was_made_before_it_was_told) {
  Log log = open_stepped({.segment_bytes = 8192});
  ASSERT_TRUE(log.append(std::string(3000, 'x')));
  env_.set_free_bytes(0);
  std::vector<ErrorCode> codes;
  const auto note = [&](const Result<Lsn>& lsn) {
    codes.push_back(lsn ? ErrorCode::not_found : lsn.error().code());
  };
  log.append_async(std::string(3000, 'y'), note);
  // It would fit into what is left of the segment, and would pass the one before.
  log.append_async("small", note);
  step(log);
  EXPECT_THAT(codes, ::testing::ElementsAre(ErrorCode::no_space, ErrorCode::no_space));
  log.append_async("small", note);
  step(log);
  EXPECT_EQ(codes.back(), ErrorCode::not_found);
}

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

Detached append_twice(Log& log, std::vector<Result<Lsn>>& out) {
  out.push_back(co_await log.append_async("first"));
  out.push_back(co_await log.append_async("second", {.type = 7}));
}

TEST_F(AsyncAppendTest, coroutine_goes_on_with_the_address) {
  Log log = open_stepped();
  std::vector<Result<Lsn>> out;
  append_twice(log, out);
  EXPECT_TRUE(out.empty());
  step(log);
  ASSERT_EQ(out.size(), 2U);
  ASSERT_TRUE(out[0] && out[1]);
  EXPECT_EQ(log.read(*out[1])->type, 7U);
}

TEST_F(AsyncAppendTest, executor_runs_the_callbacks) {
  struct Queue : Executor {
    void execute(std::move_only_function<void()> task) override {
      tasks.push_back(std::move(task));
    }
    std::vector<std::move_only_function<void()>> tasks;
  } queue;
  int told = 0;
  {
    Log log = open_stepped({.executor = &queue});
    for (int i = 0; i < 3; ++i) log.append_async("x", [&](const Result<Lsn>&) { ++told; });
    step(log);
    ASSERT_TRUE(log.close());
  }
  EXPECT_EQ(told, 0);
  ASSERT_EQ(queue.tasks.size(), 3U);
  for (auto& task : queue.tasks) task();
  EXPECT_EQ(told, 3);
}

TEST_F(AsyncAppendTest, lower_levels_become_durable_in_their_time) {
  Log log = open_stepped({.sync_interval_ms = 1000, .flush_interval_ms = 10});
  const Lsn start = log.append("durable").value();
  const Lsn durable = log.durable_lsn();
  const uint64_t writes = env_.calls(CallKind::write) + env_.calls(CallKind::dsync_write);
  const Lsn buffered = log.append("buffered", {.durability = Durability::buffered}).value();
  EXPECT_EQ(env_.calls(CallKind::write) + env_.calls(CallKind::dsync_write), writes);
  EXPECT_GT(buffered, start);
  EXPECT_EQ(log.durable_lsn(), durable);
  EXPECT_EQ(log.read(buffered).error().code(), ErrorCode::not_found);
  env_.advance_ns(20'000'000);
  step(log);
  EXPECT_EQ(env_.calls(CallKind::write), 1U + writes - env_.calls(CallKind::dsync_write));
  EXPECT_EQ(log.durable_lsn(), durable);
  EXPECT_EQ(log.wait_durable(buffered, 1ms).error().code(), ErrorCode::would_block);
  const uint64_t syncs = env_.calls(CallKind::sync);
  env_.advance_ns(1'000'000'000);
  step(log);
  EXPECT_EQ(env_.calls(CallKind::sync), syncs + 1);
  EXPECT_TRUE(log.wait_durable(buffered));
  EXPECT_TRUE(log.read(buffered));
  EXPECT_EQ(log.wait_durable(log.end_lsn()).error().code(), ErrorCode::not_found);
}

TEST_F(AsyncAppendTest, durable_append_behind_written_ones_syncs_the_file) {
  Log log = open_stepped();
  ASSERT_TRUE(log.append("durable"));
  const uint64_t syncs = env_.calls(CallKind::sync);
  const Lsn written = log.append("written", {.durability = Durability::written}).value();
  EXPECT_LE(log.durable_lsn(), written);
  ASSERT_TRUE(log.append("durable"));
  EXPECT_EQ(env_.calls(CallKind::sync), syncs + 1);
  EXPECT_TRUE(log.read(written));
  // From here on a barrier covers its own write again.
  const uint64_t barriers = env_.calls(CallKind::dsync_write);
  ASSERT_TRUE(log.append("durable"));
  EXPECT_EQ(env_.calls(CallKind::sync), syncs + 1);
  EXPECT_EQ(env_.calls(CallKind::dsync_write), barriers + 1);
  // Nothing is left for it to do.
  ASSERT_TRUE(log.sync());
  EXPECT_EQ(env_.calls(CallKind::sync), syncs + 1);
}

}  // namespace
}  // namespace writeahead::testing
