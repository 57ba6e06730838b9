// A futex that the adder who reaches the goal rings.
#include "support/shared_count.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>

namespace writeahead::test {
namespace {

using Clock = std::chrono::steady_clock;

long futex(std::atomic<uint32_t>& word, int operation, uint32_t value, const timespec* limit) {
  static_assert(sizeof(word) == sizeof(uint32_t));
  return ::syscall(SYS_futex, &word, operation, value, limit, nullptr, 0);
}

}  // namespace

void SharedCount::add(uint64_t count) {
  const uint64_t now = count_.fetch_add(count) + count;
  const uint64_t goal = goal_.load();
  if (goal == 0 || now < goal) return;
  bell_.fetch_add(1);
  futex(bell_, FUTEX_WAKE, INT_MAX, nullptr);
}

bool SharedCount::wait_for(uint64_t goal, std::chrono::nanoseconds limit) {
  const auto end = Clock::now() + limit;
  goal_.store(goal);
  while (true) {
    const uint32_t bell = bell_.load();
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(end - Clock::now());
    const bool is_there = count_.load() >= goal;
    if (is_there || left.count() <= 0) {
      goal_.store(0);
      return is_there;
    }
    const timespec time{.tv_sec = left.count() / 1'000'000'000,
                        .tv_nsec = left.count() % 1'000'000'000};
    futex(bell_, FUTEX_WAIT, bell, &time);
  }
}

}  // namespace writeahead::test
