// Waiting with a time-out and a stop token.
// A waiter is on the stack of its thread: whoever tells it takes it off the list first.
#include "commit/durable_waiters.h"

namespace writeahead::internal {

DurableWaiters::Outcome DurableWaiters::wait(
    Mutex& mutex, Lsn lsn, std::optional<std::chrono::steady_clock::time_point> deadline,
    const std::stop_token& stop) {
  Waiter waiter;
  const auto place = waiters_.emplace(lsn, &waiter);
  // The token's callback takes the mutex, so it is made, and unmade, without it.
  mutex.unlock();
  {
    const std::stop_callback on_stop(stop, [&] {
      MutexLock lock(mutex);
      waiter.is_stopped = true;
      waiter.changed.notify_all();
    });
    MutexLock lock(mutex);
    while (!waiter.is_told && !waiter.is_stopped) {
      if (!deadline) {
        waiter.changed.wait(mutex);
        continue;
      }
      const auto now = std::chrono::steady_clock::now();
      if (now >= *deadline) break;
      waiter.changed.wait_for(mutex, *deadline - now);
    }
  }
  mutex.lock();
  if (waiter.is_told) return Outcome::changed;
  waiters_.erase(place);
  return waiter.is_stopped ? Outcome::stopped : Outcome::timed_out;
}

void DurableWaiters::notify(Lsn durable) {
  while (!waiters_.empty() && waiters_.begin()->first < durable) {
    Waiter& waiter = *waiters_.begin()->second;
    waiters_.erase(waiters_.begin());
    waiter.is_told = true;
    waiter.changed.notify_all();
  }
}

}  // namespace writeahead::internal
