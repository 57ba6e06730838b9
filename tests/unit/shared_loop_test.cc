// Goal: a loop that two threads share makes each step once, and answers what a loop in order would
// have answered. Method: steps that count, fail or throw, in both kinds of loop.
#include "base/shared_loop.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/mutex.h"

namespace writeahead::internal {
namespace {

constexpr std::array kLoops{loop_in_one, loop_in_two};

std::unexpected<Error> failure(size_t i) {
  return std::unexpected(Error(ErrorCode::io, std::to_string(i)));
}

TEST(SharedLoop, each_step_is_made_once) {
  for (const auto loop : kLoops) {
    for (const size_t count : {0U, 1U, 15U, 16U, 17U, 1000U}) {
      std::vector<std::atomic<int>> made(count);
      ASSERT_TRUE(loop(count, [&](size_t i) -> Result<void> {
        ++made[i];
        return {};
      }));
      for (size_t i = 0; i < count; ++i) EXPECT_EQ(made[i], 1) << i << " of " << count;
    }
  }
}

TEST(SharedLoop, two_threads_make_the_steps) {
  Mutex mutex;
  std::set<std::thread::id> threads;
  const auto step = [&](size_t) -> Result<void> {
    {
      MutexLock lock(mutex);
      threads.insert(std::this_thread::get_id());
    }
    std::this_thread::sleep_for(std::chrono::microseconds(100));
    return {};
  };
  // The second thread may come too late for one of them.
  for (int i = 0; i < 20 && threads.size() < 2; ++i) ASSERT_TRUE(loop_in_two(200, step));
  EXPECT_EQ(threads.size(), 2U);
}

TEST(SharedLoop, answer_is_the_error_of_the_first_step_that_fails) {
  for (const auto loop : kLoops) {
    for (int repeat = 0; repeat < 200; ++repeat) {
      const auto done = loop(1000, [](size_t i) -> Result<void> {
        // The first one is the slowest.
        if (i == 40) std::this_thread::sleep_for(std::chrono::microseconds(50));
        if (i >= 40) return failure(i);
        return {};
      });
      ASSERT_FALSE(done);
      EXPECT_EQ(done.error().message(), failure(40).error().message());
    }
  }
}

TEST(SharedLoop, failure_ends_it_early) {
  for (const auto loop : kLoops) {
    std::atomic<size_t> steps = 0;
    const auto done = loop(1'000'000, [&](size_t i) -> Result<void> {
      ++steps;
      if (i == 3) return failure(i);
      return {};
    });
    EXPECT_FALSE(done);
    EXPECT_LT(steps, 900'000U);
  }
}

TEST(SharedLoop, what_a_step_throws_is_thrown_by_the_loop) {
  for (const auto loop : kLoops) {
    for (const size_t thrower : {0U, 17U, 999U}) {
      const auto step = [&](size_t i) -> Result<void> {
        if (i == thrower) throw std::bad_alloc();
        return {};
      };
      EXPECT_THROW((void)loop(1000, step), std::bad_alloc) << thrower;
    }
  }
}

}  // namespace
}  // namespace writeahead::internal
