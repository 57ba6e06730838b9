// Completions: async appends that are done and wait for their callbacks to be run.
//
// Frames put them in, in the order of their addresses, and one thread at a time takes them out, a
// frame's at once, and runs the callbacks with no lock held. A callback may do anything, also end
// the log's life: what is run here is kept alive by whoever runs it.
#pragma once

#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "commit/async_appends.h"
#include "writeahead/append_async.h"

namespace writeahead::internal {

class Completions {
 public:
  explicit Completions(Executor* executor) : executor_(executor) {}
  Completions(const Completions&) = delete;
  Completions& operator=(const Completions&) = delete;
  ~Completions();

  /// An empty AsyncAppends; throws std::bad_alloc.
  [[nodiscard]] std::unique_ptr<AsyncAppends> make() WRITEAHEAD_EXCLUDES(mutex_);
  /// Hands over one that is done; false if nobody is to be told. Allocates nothing.
  bool push(std::unique_ptr<AsyncAppends> appends) WRITEAHEAD_EXCLUDES(mutex_);
  /// Runs the callbacks of all that were pushed; false if there were none, or if another thread is
  /// at it, which then runs them all. From within a callback it goes on behind that one.
  bool run() WRITEAHEAD_EXCLUDES(mutex_);
  /// Tells a single callback, at once and here.
  static void refuse(CompletionTarget& target, const Error& error);
  /// Whether somebody was refused for want of space and has not been told so yet. Until then a
  /// later append must not pass it.
  [[nodiscard]] bool has_untold_shortage() const WRITEAHEAD_EXCLUDES(mutex_);

 private:
  [[nodiscard]] bool begin_run() WRITEAHEAD_EXCLUDES(mutex_);
  void end_run() WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] AsyncAppends* next() WRITEAHEAD_EXCLUDES(mutex_);
  void recycle(std::unique_ptr<AsyncAppends> told) WRITEAHEAD_REQUIRES(mutex_);

  static constexpr size_t kSpares = 4;

  Executor* const executor_;
  std::unique_ptr<AsyncAppends> current_;  // whose callbacks are run; the runner's alone
  mutable Mutex mutex_;
  std::thread::id runner_ WRITEAHEAD_GUARDED_BY(mutex_);
  uint64_t runs_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;  // of the runner, one inside of another
  AsyncAppends* first_ WRITEAHEAD_GUARDED_BY(mutex_) = nullptr;
  AsyncAppends* last_ WRITEAHEAD_GUARDED_BY(mutex_) = nullptr;
  uint64_t shortages_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;  // of those in the list
  std::vector<std::unique_ptr<AsyncAppends>> spares_ WRITEAHEAD_GUARDED_BY(mutex_);
};

}  // namespace writeahead::internal
