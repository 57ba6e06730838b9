// PartLock: a lock for many who look and few who change, of something that takes 100 ns to look at.
//
// Without somebody who changes, to take and to give it are an addition each: a third of what a
// std::shared_mutex takes, which was a quarter of a look-up. It has their names, for the standard's
// guards. Whoever changes goes first: those who come to look wait as soon as somebody waits to
// change, also for those who still look. Who looks must not look again meanwhile.
#pragma once

#include <atomic>
#include <cstdint>

namespace writeahead::index::internal {

class PartLock {
 public:
  void lock() {
    // One after the other.
    while ((state_.fetch_or(kChanging, std::memory_order_acquire) & kChanging) != 0) {
      await([](uint32_t state) { return (state & kChanging) == 0; });
    }
    await([](uint32_t state) { return state == kChanging; });
  }
  void unlock() {
    state_.fetch_and(~kChanging, std::memory_order_release);
    state_.notify_all();
  }
  void lock_shared() {
    while (!try_lock_shared()) {
      await([](uint32_t state) { return (state & kChanging) == 0; });
    }
  }
  bool try_lock_shared() {
    if ((state_.load(std::memory_order_relaxed) & kChanging) != 0) return false;
    if ((state_.fetch_add(kLooking, std::memory_order_acquire) & kChanging) == 0) return true;
    unlock_shared();
    return false;
  }
  void unlock_shared() {
    // Whoever waits to change waits for nobody to be left.
    if (state_.fetch_sub(kLooking, std::memory_order_release) == (kChanging | kLooking)) {
      state_.notify_all();
    }
  }

 private:
  static constexpr uint32_t kChanging = 1;
  static constexpr uint32_t kLooking = 2;  // each

  template <class IsRight>
  void await(const IsRight& is_right) {
    for (uint32_t state = state_.load(std::memory_order_acquire); !is_right(state);
         state = state_.load(std::memory_order_acquire)) {
      state_.wait(state, std::memory_order_relaxed);
    }
  }

  std::atomic<uint32_t> state_ = 0;
};

}  // namespace writeahead::index::internal
