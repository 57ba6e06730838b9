// DurableWaiters: threads that wait for an address to become durable. They start no barrier.
//
// Each has a condition of its own, so that a commit wakes those it made durable and nobody else.
// All calls are made with the committer's mutex held.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <stop_token>

#include "base/mutex.h"
#include "writeahead/lsn.h"

namespace writeahead::internal {

class DurableWaiters {
 public:
  enum class Outcome { changed, timed_out, stopped };
  /// Waits until notify() or notify_all() concerns `lsn`. Gives up the mutex, the committer's,
  /// meanwhile. Throws
  /// only std::bad_alloc.
  [[nodiscard]] Outcome wait(Mutex& mutex, Lsn lsn,
                             std::optional<std::chrono::steady_clock::time_point> deadline,
                             const std::stop_token& stop) WRITEAHEAD_REQUIRES(mutex);
  /// Everything below `durable` is durable.
  void notify(Lsn durable);
  /// Something else changed for all of them: the log failed, was closed, or cut.
  void notify_all() { notify(Lsn(UINT64_MAX)); }

 private:
  struct Waiter {
    CondVar changed;
    bool is_told = false;
    bool is_stopped = false;
  };
  std::multimap<Lsn, Waiter*> waiters_;
};

}  // namespace writeahead::internal
