// The loop of a BackgroundThread.
// A wake-up is never lost: the flag that asks for one is set before the step looks for work.
#include "base/background_thread.h"

#include <exception>
#include <utility>

namespace writeahead::internal {

void BackgroundThread::rouse() {
  MutexLock lock(mutex_);
  if (is_stopped_) return;
  is_asleep_.store(false, std::memory_order_seq_cst);
  if (thread_.joinable()) {
    changed_.notify_all();
    return;
  }
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::exception&) {  // no thread, or no memory for one
    is_asleep_.store(true, std::memory_order_seq_cst);
  }
}

void BackgroundThread::stop() {
  std::thread thread;
  {
    MutexLock lock(mutex_);
    is_stopped_ = true;
    changed_.notify_all();
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
}

void BackgroundThread::run() {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (is_stopped_) return;
      // Set before the step looks: whoever adds work after that look finds the flag and wakes us.
      is_asleep_.store(true, std::memory_order_seq_cst);
    }
    const Next next = step_();
    MutexLock lock(mutex_);
    if (next != Next::sleep) is_asleep_.store(false, std::memory_order_seq_cst);
    // Whoever adds work now need not say so: it is found when the time is over.
    if (next == Next::later && !is_stopped_) changed_.wait_for(mutex_, later_);
    while (is_asleep_.load(std::memory_order_seq_cst) && !is_stopped_) changed_.wait(mutex_);
  }
}

}  // namespace writeahead::internal
