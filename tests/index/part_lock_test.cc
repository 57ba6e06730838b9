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
  constexpr uint64_t kTurns = 300;
  constexpr uint64_t kLooks = 100;
  PartLock lock;
  // What it guards: always alike where nobody changes it.
  std::array<uint64_t, 8> words{};
  std::atomic<bool> is_done = false;
  std::atomic<uint64_t> looks = 0;
  std::atomic<uint64_t> torn = 0;
  const auto look = [&] {
    while (!is_done.load()) {
      const std::shared_lock guard(lock);
      for (const uint64_t word : words) torn += word == words[0] ? 0 : 1;
      looks += words[0] != 0 ? 1 : 0;
    }
  };
  std::atomic<uint64_t> turns = 0;
  const auto change = [&] {
    // Beside looks, however many turns it takes.
    while (turns.load() < kTurns || looks.load() < kLooks) {
      {
        const std::unique_lock guard(lock);
        for (uint64_t& word : words) ++word;
      }
      ++turns;
      std::this_thread::yield();
    }
  };
  {
    std::vector<std::jthread> lookers;
    for (int i = 0; i < 3; ++i) lookers.emplace_back(look);
    std::vector<std::jthread> changers;
    for (int i = 0; i < 2; ++i) changers.emplace_back(change);
    changers.clear();
    is_done.store(true);
  }
  EXPECT_EQ(torn.load(), 0U);
  for (const uint64_t word : words) EXPECT_EQ(word, turns.load());
}

TEST(PartLock, many_look_at_once_and_a_change_waits_for_all_of_them) {
  PartLock lock;
  lock.lock_shared();
  lock.lock_shared();
  std::atomic<bool> has_changed = false;
  std::jthread changer([&] {
    const std::unique_lock guard(lock);
    has_changed.store(true);
  });
  // Refused, somebody waits to change.
  while (lock.try_lock_shared()) {
    lock.unlock_shared();
    std::this_thread::yield();
  }
  EXPECT_FALSE(has_changed.load());
  lock.unlock_shared();
  EXPECT_FALSE(has_changed.load()) << "one of them still looks";
  lock.unlock_shared();
  changer.join();
  EXPECT_TRUE(has_changed.load());
  EXPECT_TRUE(lock.try_lock_shared());
  lock.unlock_shared();
}

}  // namespace
}  // namespace writeahead::index::internal
