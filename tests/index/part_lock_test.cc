// Goal: nobody looks while somebody changes, nobody changes beside another, and nobody waits for
// ever. Method: threads that look and change, and count who is inside.
#include "writeahead/index/detail/part_lock.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

namespace writeahead::index::internal {
namespace {

TEST(PartLock, keeps_those_who_look_from_those_who_change) {
  constexpr int kTurns = 20'000;
  PartLock lock;
  // What it guards: always alike where nobody changes it.
  std::array<uint64_t, 8> words{};
  std::atomic<bool> is_done = false;
  std::atomic<uint64_t> looks = 0;
  {
    std::vector<std::jthread> lookers;
    for (int i = 0; i < 3; ++i) {
      lookers.emplace_back([&] {
        while (!is_done.load()) {
          const std::shared_lock guard(lock);
          for (const uint64_t word : words) ASSERT_EQ(word, words[0]);
          looks.fetch_add(1);
        }
      });
    }
    std::vector<std::jthread> changers;
    for (int i = 0; i < 2; ++i) {
      changers.emplace_back([&] {
        for (int turn = 0; turn < kTurns; ++turn) {
          const std::unique_lock guard(lock);
          for (uint64_t& word : words) ++word;
        }
      });
    }
    changers.clear();
    while (looks.load() == 0) std::this_thread::yield();
    is_done.store(true);
  }
  for (const uint64_t word : words) EXPECT_EQ(word, 2U * kTurns);
}

TEST(PartLock, many_look_at_once) {
  PartLock lock;
  std::atomic<bool> has_changed = false;
  std::jthread changer;  // ends behind the locks
  const std::shared_lock first(lock);
  const std::shared_lock second(lock);
  {
    const std::shared_lock third(lock);
    changer = std::jthread([&] {
      const std::unique_lock guard(lock);
      has_changed.store(true);
    });
    EXPECT_FALSE(has_changed.load());
  }
  EXPECT_FALSE(has_changed.load()) << "two of them still look";
}

}  // namespace
}  // namespace writeahead::index::internal
