// LsnQueue against a plain list, in memory and spilled to a file.
#include "lsn_queue.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <vector>

#include "support/allocated_bytes.h"
#include "support/test_seed.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::index::internal {
namespace {

using testing::SimDisk;
using testing::SimEnv;

std::unique_ptr<SpillFile> make_spill(SimEnv& env) {
  auto log = env.open_directory("/log", true, 0700);
  EXPECT_TRUE(log && (*log)->open_directory("index", true, 0700));
  return std::move(SpillFile::create(env, "/log/index", "tags").value());
}

std::vector<Lsn> from(const std::vector<Lsn>& all, Lsn begin, size_t most) {
  std::vector<Lsn> found;
  for (const Lsn lsn : all) {
    if (lsn >= begin && found.size() < most) found.push_back(lsn);
  }
  return found;
}

TEST(LsnQueueTest, holds_what_was_pushed_and_not_dropped_in_memory_and_in_a_file) {
  SCOPED_TRACE(writeahead::test::replay_command());
  std::mt19937_64 random(writeahead::test::test_seed());
  SimEnv env{SimDisk{}};
  const auto spill = make_spill(env);
  LsnQueue queue;
  std::vector<Lsn> model;
  Lsn next(1);
  for (int round = 0; round < 400; ++round) {
    for (uint64_t i = random() % 300; i > 0; --i) {
      queue.push(next);
      model.push_back(next);
      next = next + 1 + random() % (uint64_t{1} << (random() % 40));
    }
    if (!model.empty()) queue.push(model.front());  // It is there already.
    const auto some = [&] { return Lsn(random() % (next.value() + 10)); };
    switch (random() % 4) {
      case 0: {
        const bool is_all = model.empty() || random() % 8 == 0;
        const Lsn below = is_all ? next : model[random() % model.size()];
        ASSERT_TRUE(queue.drop_below(below, spill.get()));
        model = from(model, below, SIZE_MAX);
        break;
      }
      case 1: {
        const uint64_t before = queue.heap_bytes();
        const uint64_t spilled = queue.spill(*spill).value();
        EXPECT_EQ(spilled, before - queue.heap_bytes());
        break;
      }
      case 2: {
        const uint64_t count = random() % 4 == 0 ? model.size() : random() % (model.size() / 4 + 1);
        ASSERT_TRUE(queue.drop_below(queue.border_behind(count, spill.get()).value(), spill.get()));
        model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(count));
        break;
      }
      default:
        break;
    }
    ASSERT_EQ(queue.size(), model.size());
    if (!model.empty()) {
      ASSERT_EQ(queue.front(), model.front());
      ASSERT_EQ(queue.back(), model.back());
    }
    const Lsn begin = some();
    const size_t most = random() % 2000;
    std::vector<Lsn> copied;
    ASSERT_TRUE(queue.copy_from(begin, most, spill.get(), copied));
    ASSERT_EQ(copied, from(model, begin, most));
    const uint64_t rank = queue.rank(begin, spill.get()).value();
    ASSERT_EQ(rank, static_cast<uint64_t>(std::ranges::lower_bound(model, begin) - model.begin()));
    copied.clear();
    ASSERT_TRUE(queue.copy_range(rank, most, spill.get(), copied));
    ASSERT_EQ(copied, from(model, begin, most));
  }
}

TEST(LsnQueueTest, takes_few_bytes_for_each) {
  LsnQueue queue;
  for (uint64_t i = 1; i <= 100'000; ++i) queue.push(Lsn(i * 8000));
  EXPECT_LT(queue.heap_bytes(), 100'000U * 5 / 2);
  ASSERT_TRUE(queue.drop_below(Lsn(UINT64_MAX), nullptr));
  EXPECT_EQ(queue.heap_bytes(), 0U);
}

TEST(LsnQueueTest, spilling_gives_back_the_memory_that_it_says) {
  SimEnv env{SimDisk{}};
  const auto file = make_spill(env);
  LsnQueue queue;
  for (uint64_t i = 1; i <= 1'000'000; ++i) queue.push(Lsn(i * 8000));
  ASSERT_GT(queue.spill(*file).value(), 1'900'000U);
  // What the simulated file takes is not the queue's; what the queue's end gives back was.
  const uint64_t before = testing::allocated_bytes();
  queue = LsnQueue();
  EXPECT_LT(before - testing::allocated_bytes(), 512U << 10);
}

TEST(LsnQueueTest, spilled_bytes_that_changed_are_told_and_nothing_is_dropped) {
  SimEnv env{SimDisk{}};
  const auto spill = make_spill(env);
  LsnQueue queue;
  for (uint64_t i = 1; i <= 2000; ++i) queue.push(Lsn(i));
  ASSERT_GT(queue.spill(*spill).value(), 0U);
  const auto file =
      env.open_directory("/log/index", false, 0).value()->open("tags.spill", {.write = true});
  const std::byte damage{0xFF};
  ASSERT_TRUE((*file)->write_at(10, {&damage, 1}, WriteBarrier::none));
  std::vector<Lsn> copied;
  const auto refused = queue.copy_from(Lsn(), SIZE_MAX, spill.get(), copied);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::corruption);
  EXPECT_FALSE(queue.drop_below(Lsn(100), spill.get()));
  EXPECT_EQ(queue.size(), 2000U);
  EXPECT_EQ(queue.front(), Lsn(1));
}

}  // namespace
}  // namespace writeahead::index::internal
