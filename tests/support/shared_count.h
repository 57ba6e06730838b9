// SharedCount: a number in memory of several processes that grows, and for which one of them can
// sleep without asking again and again.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace writeahead::test {

/// For SharedMemory: zeroed memory is a count of 0. Any number of threads add, one waits.
class SharedCount {
 public:
  void add(uint64_t count);
  [[nodiscard]] uint64_t load() const { return count_.load(); }
  /// Sleeps until the count is `goal` or more; false when `limit` was over before.
  bool wait_for(uint64_t goal, std::chrono::nanoseconds limit);

 private:
  std::atomic<uint64_t> count_;
  std::atomic<uint64_t> goal_;  // 0: nobody waits
  std::atomic<uint32_t> bell_;
};

}  // namespace writeahead::test
