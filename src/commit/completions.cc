// Taking completions out one by one, so that a callback that comes back here finds the next.
// No lock is held while one of them runs.
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

void Completions::push(std::unique_ptr<AsyncAppends> appends) {
  MutexLock lock(mutex_);
  AsyncAppends* const added = appends.release();
  added->next_done = nullptr;
  if (is_shortage(*added) && !added->is_told()) ++shortages_;
  (last_ == nullptr ? first_ : last_->next_done) = added;
  last_ = added;
}

bool Completions::take(AsyncAppends::Told& told) {
  MutexLock lock(mutex_);
  while (first_ != nullptr) {
    if (first_->take(told)) {
      // Whoever is being told may try again at once.
      if (is_shortage(*first_) && first_->is_told()) --shortages_;
      return true;
    }
    std::unique_ptr<AsyncAppends> done(first_);
    first_ = done->next_done;
    if (first_ == nullptr) last_ = nullptr;
    if (spares_.size() < spares_.capacity() && spares_.size() < kSpares) {
      done->clear();
      spares_.push_back(std::move(done));
    }
  }
  return false;
}

bool Completions::run() {
  bool has_run = false;
  while (true) {
    Task task;
    if (!take(task.told)) return has_run;
    has_run = true;
    // Nothing of this object may be used behind a callback unless its owner is kept alive.
    if (executor_ != nullptr) {
      executor_->execute(std::move(task));
    } else {
      task();
    }
  }
}

void Completions::refuse(CompletionTarget& target, const Error& error) {
  Task{.told = {.target = std::move(target), .answer = std::unexpected(error)}}();
}

bool Completions::has_untold_shortage() const {
  MutexLock lock(mutex_);
  return shortages_ != 0;
}

}  // namespace writeahead::internal
