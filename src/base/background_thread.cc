// The loop of a BackgroundThread.
// A wake-up is never lost: the flag that asks for one is set before the step looks for work.
#include "base/background_thread.h"

#include <exception>
#include <utility>

namespace writeahead::internal {

BackgroundThread::BackgroundThread(Step step) : core_(std::make_shared<Core>()) {
  core_->step = std::move(step);
}

void BackgroundThread::rouse() {
  Core& core = *core_;
  MutexLock lock(core.mutex);
  if (core.is_stopped) return;
  core.is_asleep.store(false, std::memory_order_seq_cst);
  core.is_roused = true;
  if (core.thread.joinable()) {
    core.changed.notify_all();
    return;
  }
  try {
    core.thread = std::thread([kept = core_] { run(*kept); });
  } catch (const std::exception&) {  // no thread, or no memory for one
    core.is_asleep.store(true, std::memory_order_seq_cst);
  }
}

bool BackgroundThread::is_this_thread() const {
  return core_->runner.load(std::memory_order_acquire) == std::this_thread::get_id();
}

void BackgroundThread::stop() {
  std::thread thread;
  {
    MutexLock lock(core_->mutex);
    core_->is_stopped = true;
    core_->changed.notify_all();
    thread = std::move(core_->thread);
  }
  if (!thread.joinable()) return;
  if (is_this_thread()) {
    thread.detach();
  } else {
    thread.join();
  }
}

void BackgroundThread::run(Core& core) {
  core.runner.store(std::this_thread::get_id(), std::memory_order_release);
  while (true) {
    {
      MutexLock lock(core.mutex);
      if (core.is_stopped) break;
      core.is_roused = false;
      // Set before the step looks: whoever adds work after that look finds the flag and wakes us;
      // until it is known for how long, whoever has something to remind us of does, too.
      core.pause_ns.store(kForEver.count(), std::memory_order_seq_cst);
      core.is_asleep.store(true, std::memory_order_seq_cst);
    }
    const Pause pause = core.step();
    if (pause == kNone) continue;
    MutexLock lock(core.mutex);
    if (pause != kForEver && !core.is_stopped && !core.is_roused) {
      core.pause_ns.store(pause.count(), std::memory_order_seq_cst);
      core.changed.wait_for(core.mutex, pause);
      continue;
    }
    while (!core.is_roused && !core.is_stopped) core.changed.wait(core.mutex);
  }
  core.step = nullptr;
  core.runner.store({}, std::memory_order_release);
}

}  // namespace writeahead::internal
