// BackgroundThread: calls a step function until it is stopped. It sleeps while there is nothing to
// do, and looks again after the time that the step asked for.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include "base/mutex.h"

namespace writeahead::internal {

class BackgroundThread {
 public:
  /// How long until the step wants to be called again; it may be woken before.
  using Pause = std::chrono::nanoseconds;
  static constexpr Pause kNone = Pause::zero();
  static constexpr Pause kForEver = Pause::max();
  using Step = std::function<Pause()>;

  /// Nothing runs until wake().
  explicit BackgroundThread(Step step);
  BackgroundThread(const BackgroundThread&) = delete;
  BackgroundThread& operator=(const BackgroundThread&) = delete;
  ~BackgroundThread() { stop(); }

  /// Makes a sleeping thread look; starts it the first time. Costs one load while it is awake. If
  /// the system has no thread to give, the next call tries again.
  void wake() {
    if (core_->is_asleep.load(std::memory_order_seq_cst)) rouse();
  }
  /// As wake(), but leaves a thread alone that looks again within `within` by itself: for what is
  /// not urgent and comes often. Waking costs a system call.
  void remind(Pause within) {
    if (core_->is_asleep.load(std::memory_order_seq_cst) &&
        core_->pause_ns.load(std::memory_order_seq_cst) > within.count()) {
      rouse();
    }
  }
  /// Waits for the step in progress; no step is begun afterwards. From within a step it returns at
  /// once, and the thread ends behind that step without touching this object again.
  void stop();
  /// Whether the caller is the step.
  [[nodiscard]] bool is_this_thread() const;

 private:
  /// What the thread needs, kept alive by itself: a step may end the life of its owner.
  struct Core {
    Step step;
    std::atomic<bool> is_asleep = true;
    std::atomic<Pause::rep> pause_ns = kForEver.count();  // how long it sleeps, once it does
    std::atomic<std::thread::id> runner = {};
    Mutex mutex;
    CondVar changed;
    bool is_stopped WRITEAHEAD_GUARDED_BY(mutex) = false;
    bool is_roused WRITEAHEAD_GUARDED_BY(mutex) = false;
    std::thread thread WRITEAHEAD_GUARDED_BY(mutex);
  };

  void rouse();
  static void run(Core& core);

  const std::shared_ptr<Core> core_;
};

}  // namespace writeahead::internal
