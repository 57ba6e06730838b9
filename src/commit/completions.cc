// Taking completions out one by one, so that a callback that comes back here finds the next.
// No lock is held while one of them runs, and none is taken for most.
#include "commit/completions.h"

#include <utility>

namespace writeahead::internal {
namespace {

/// One answer on its way through an executor.
struct Task {
  AsyncAppends::Told told;

  void operator()() {
    if (auto* callback = std::get_if<AppendCallback>(&told.target)) {
      if (told.answer) {
        (*callback)(told.answer->first_lsn);
      } else {
        (*callback)(std::unexpected(std::move(told.answer.error())));
      }
    } else if (auto* whole = std::get_if<BatchCallback>(&told.target)) {
      (*whole)(std::move(told.answer));
    }
  }
};

bool is_shortage(const AsyncAppends& appends) {
  return appends.error && appends.error->code() == ErrorCode::no_space;
}

}  // namespace

Completions::~Completions() {
  while (first_ != nullptr) {
    const std::unique_ptr<AsyncAppends> gone(std::exchange(first_, first_->next_done));
  }
}

std::unique_ptr<AsyncAppends> Completions::make() {
  {
    MutexLock lock(mutex_);
    spares_.reserve(kSpares);
    if (!spares_.empty()) {
      auto spare = std::move(spares_.back());
      spares_.pop_back();
      return spare;
    }
  }
  return std::make_unique<AsyncAppends>();
}

bool Completions::push(std::unique_ptr<AsyncAppends> appends) {
  MutexLock lock(mutex_);
  if (appends->is_told()) {
    recycle(std::move(appends));
    return false;
  }
  AsyncAppends* const added = appends.release();
  added->next_done = nullptr;
  if (is_shortage(*added)) ++shortages_;
  (last_ == nullptr ? first_ : last_->next_done) = added;
  last_ = added;
  return true;
}

bool Completions::begin_run() {
  MutexLock lock(mutex_);
  if (runs_ != 0 && runner_ != std::this_thread::get_id()) return false;
  runner_ = std::this_thread::get_id();
  ++runs_;
  return true;
}

void Completions::end_run() {
  MutexLock lock(mutex_);
  --runs_;
}

/// Those that have somebody to be told; null, and the run has ended, if there are none. Under one
/// lock: whoever pushed some and found this thread at it must not have come too late.
AsyncAppends* Completions::next() {
  if (current_ != nullptr && !current_->is_told()) return current_.get();
  MutexLock lock(mutex_);
  while (true) {
    if (current_ != nullptr) recycle(std::move(current_));
    if (first_ == nullptr) {
      --runs_;
      return nullptr;
    }
    current_.reset(first_);
    first_ = current_->next_done;
    if (first_ == nullptr) last_ = nullptr;
    if (!current_->is_told()) return current_.get();
  }
}

void Completions::recycle(std::unique_ptr<AsyncAppends> told) {
  if (spares_.size() == spares_.capacity() || spares_.size() >= kSpares) return;
  told->clear();
  spares_.push_back(std::move(told));
}

bool Completions::run() {
  if (!begin_run()) return false;
  bool has_run = false;
  while (AsyncAppends* const appends = next()) {
    has_run = true;
    // Taken out: a callback may come back here, and leave nothing of the others.
    Task task{.told = appends->take()};
    if (appends->is_told() && is_shortage(*appends)) {
      // Whoever is being told may try again at once.
      MutexLock lock(mutex_);
      --shortages_;
    }
    // Nothing of this object may be used behind a callback unless its owner is kept alive.
    try {
      if (executor_ != nullptr) {
        executor_->execute(std::move(task));
      } else {
        task();
      }
    } catch (...) {
      end_run();
      throw;
    }
  }
  return has_run;
}

void Completions::refuse(CompletionTarget& target, const Error& error) {
  Task{.told = {.target = std::move(target), .answer = std::unexpected(error)}}();
}

bool Completions::has_untold_shortage() const {
  MutexLock lock(mutex_);
  return shortages_ != 0;
}

}  // namespace writeahead::internal
