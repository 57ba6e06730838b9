// Mutex, MutexLock, CondVar: the standard ones with clang's thread-safety annotations, so that the
// compiler checks which lock guards which member. They own nothing else.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define WRITEAHEAD_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define WRITEAHEAD_THREAD_ANNOTATION(x)
#endif

#define WRITEAHEAD_CAPABILITY(x) WRITEAHEAD_THREAD_ANNOTATION(capability(x))
#define WRITEAHEAD_SCOPED_CAPABILITY WRITEAHEAD_THREAD_ANNOTATION(scoped_lockable)
#define WRITEAHEAD_GUARDED_BY(x) WRITEAHEAD_THREAD_ANNOTATION(guarded_by(x))
#define WRITEAHEAD_REQUIRES(...) WRITEAHEAD_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define WRITEAHEAD_EXCLUDES(...) WRITEAHEAD_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define WRITEAHEAD_ACQUIRE(...) WRITEAHEAD_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define WRITEAHEAD_RELEASE(...) WRITEAHEAD_THREAD_ANNOTATION(release_capability(__VA_ARGS__))

namespace writeahead::internal {

class WRITEAHEAD_CAPABILITY("mutex") Mutex {
 public:
  void lock() WRITEAHEAD_ACQUIRE() { mutex_.lock(); }
  void unlock() WRITEAHEAD_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

/// Holds a Mutex for a scope; may be given up and taken again in between.
class WRITEAHEAD_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) WRITEAHEAD_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  ~MutexLock() WRITEAHEAD_RELEASE() {
    if (is_held_) mutex_.unlock();
  }
  void unlock() WRITEAHEAD_RELEASE() {
    mutex_.unlock();
    is_held_ = false;
  }
  void lock() WRITEAHEAD_ACQUIRE() {
    mutex_.lock();
    is_held_ = true;
  }

 private:
  Mutex& mutex_;
  bool is_held_ = true;
};

class CondVar {
 public:
  /// Waits; may return without a reason, so callers loop over their condition.
  void wait(Mutex& mutex) WRITEAHEAD_REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  void wait_for(Mutex& mutex, std::chrono::nanoseconds time) WRITEAHEAD_REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    condition_.wait_for(lock, time);
    lock.release();
  }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace writeahead::internal
