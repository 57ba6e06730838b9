// BackgroundThread: calls a step function until it is stopped. It sleeps while there is nothing to
// do, and looks again after a while if the step asked for that.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "base/mutex.h"

namespace writeahead::internal {

class BackgroundThread {
 public:
  /// What a step left behind.
  enum class Next { again, later, sleep };
  using Step = std::function<Next()>;

  /// Nothing runs until wake().
  BackgroundThread(Step step, std::chrono::nanoseconds later)
      : step_(std::move(step)), later_(later) {}
  BackgroundThread(const BackgroundThread&) = delete;
  BackgroundThread& operator=(const BackgroundThread&) = delete;
  ~BackgroundThread() { stop(); }

  /// Makes a sleeping thread look; starts it the first time. Costs one load while it is awake or
  /// looks again by itself. If the system has no thread to give, the next call tries again.
  void wake() {
    if (is_asleep_.load(std::memory_order_seq_cst)) rouse();
  }
  /// Waits for the step in progress; no step is begun afterwards. Not from within a step.
  void stop() WRITEAHEAD_EXCLUDES(mutex_);

 private:
  void rouse() WRITEAHEAD_EXCLUDES(mutex_);
  void run() WRITEAHEAD_EXCLUDES(mutex_);

  const Step step_;
  const std::chrono::nanoseconds later_;
  std::atomic<bool> is_asleep_ = true;
  Mutex mutex_;
  CondVar changed_;
  bool is_stopped_ WRITEAHEAD_GUARDED_BY(mutex_) = false;
  std::thread thread_ WRITEAHEAD_GUARDED_BY(mutex_);
};

}  // namespace writeahead::internal
