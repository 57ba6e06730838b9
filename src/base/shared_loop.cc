// Steps are handed out in ascending stretches, and a stretch that was begun is gone through up to
// its own first failure: so the first failure of all is always among those that were met.
#include "base/shared_loop.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <optional>
#include <thread>

#include "base/mutex.h"

namespace writeahead::internal {
namespace {

class SharedLoop {
 public:
  using Step = std::function<Result<void>(size_t)>;
  SharedLoop(size_t count, const Step& step) : count_(count), step_(step) {}

  /// Takes stretches until there are no more.
  void work() noexcept WRITEAHEAD_EXCLUDES(mutex_) {
    while (!has_failed_.load(std::memory_order_relaxed)) {
      const size_t begin = next_.fetch_add(kStretch, std::memory_order_relaxed);
      if (begin >= count_) return;
      go_through(begin, std::min(begin + kStretch, count_));
    }
  }

  /// Once nobody works any more.
  Result<void> result() WRITEAHEAD_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (thrown_) std::rethrow_exception(thrown_);
    if (error_) return std::unexpected(*error_);
    return {};
  }

 private:
  void go_through(size_t begin, size_t end) noexcept WRITEAHEAD_EXCLUDES(mutex_) {
    try {
      for (size_t i = begin; i < end; ++i) {
        auto done = step_(i);
        if (done) continue;
        MutexLock lock(mutex_);
        if (!error_ || i < failed_) error_ = done.error();
        failed_ = std::min(failed_, i);
        has_failed_.store(true, std::memory_order_relaxed);
        return;
      }
    } catch (...) {
      MutexLock lock(mutex_);
      thrown_ = std::current_exception();
      has_failed_.store(true, std::memory_order_relaxed);
    }
  }

  // So many that two threads seldom meet, and so few that they end together.
  static constexpr size_t kStretch = 16;

  const size_t count_;
  const Step& step_;
  std::atomic<size_t> next_ = 0;
  std::atomic<bool> has_failed_ = false;
  Mutex mutex_;
  size_t failed_ WRITEAHEAD_GUARDED_BY(mutex_) = SIZE_MAX;
  std::optional<Error> error_ WRITEAHEAD_GUARDED_BY(mutex_);
  std::exception_ptr thrown_ WRITEAHEAD_GUARDED_BY(mutex_);
};

/// A thread that works on it; none if the system has none to give, or no memory for one.
std::thread help(SharedLoop& loop) {
  try {
    return std::thread([&loop] { loop.work(); });
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace

Result<void> loop_in_one(size_t count, const std::function<Result<void>(size_t)>& step) {
  for (size_t i = 0; i < count; ++i) {
    if (auto done = step(i); !done) return done;
  }
  return {};
}

Result<void> loop_in_two(size_t count, const std::function<Result<void>(size_t)>& step) {
  SharedLoop loop(count, step);
  std::thread second = help(loop);
  loop.work();
  if (second.joinable()) second.join();
  return loop.result();
}

}  // namespace writeahead::internal
