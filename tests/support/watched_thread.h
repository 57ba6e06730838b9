// WatchedThread: a thread of which a test knows that it sleeps, and whether it was woken since.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <thread>

namespace writeahead::test {

/// Asked by one thread. Its destructor requests a stop and joins.
class WatchedThread {
 public:
  explicit WatchedThread(std::function<void(std::stop_token)> body);

  /// Waits until it sleeps; false if it ended instead. Meanwhile nobody holds a lock that it takes:
  /// what it sleeps for is what it waits for.
  [[nodiscard]] bool falls_asleep();
  /// Whether it was woken since falls_asleep(). A thread is so when the call returns that wakes it:
  /// it need not have run.
  [[nodiscard]] bool was_woken() const;
  void join() { thread_.join(); }

 private:
  /// How often it had gone to sleep, if it sleeps now.
  [[nodiscard]] std::optional<uint64_t> sleeps() const;

  std::atomic<pid_t> id_ = 0;
  std::atomic<bool> has_ended_ = false;
  std::optional<uint64_t> sleep_;  // the one that falls_asleep() saw
  std::jthread thread_;            // last: it uses what stands above
};

}  // namespace writeahead::test
