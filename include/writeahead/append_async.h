// Appending without waiting: callbacks, an executor for them, and what co_await takes.
//
// A callback runs exactly once, in the order of the addresses, whatever becomes of the append: also
// when it is refused, when the log fails, and when it is closed. No lock of the log is held while
// it runs, so it may append, close the log, or give up the last reference to it.
#pragma once

#include <coroutine>
#include <functional>
#include <optional>
#include <utility>

#include "writeahead/batch.h"
#include "writeahead/durability.h"
#include "writeahead/export.h"
#include "writeahead/lsn.h"
#include "writeahead/payload.h"
#include "writeahead/result.h"

namespace writeahead {

class Log;

/// Told the address of a record once the append has the level that was asked for.
using AppendCallback = std::move_only_function<void(Result<Lsn>)>;
/// The same for a batch.
using BatchCallback = std::move_only_function<void(Result<Appended>)>;

/// Where callbacks and coroutines run, if not on the log's background thread.
class WRITEAHEAD_EXPORT Executor {
 public:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor() = default;
  /// Runs `task` once, now or later, on any thread. Called with no lock held, by one thread at a
  /// time, in the order of the addresses. Must not throw.
  virtual void execute(std::move_only_function<void()> task) = 0;
};

/// What Log::append_async without a callback gives; to be awaited once, in the same expression:
///
///     Result<Lsn> lsn = co_await log.append_async("payload");
///
/// The payload is copied when the coroutine is suspended. The coroutine goes on where callbacks
/// run; the log must live until it has been asked to.
class WRITEAHEAD_EXPORT AppendAwaitable {
 public:
  AppendAwaitable(Log& log, Payload payload, AppendOptions options)
      : log_(log), payload_(payload), options_(options) {}
  AppendAwaitable(const AppendAwaitable&) = delete;
  AppendAwaitable& operator=(const AppendAwaitable&) = delete;

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting);
  [[nodiscard]] Result<Lsn> await_resume() { return std::move(*result_); }

 private:
  Log& log_;
  Payload payload_;
  AppendOptions options_;
  std::optional<Result<Lsn>> result_;
};

}  // namespace writeahead
