// OwnProgress: how a log goes on that this process writes.
//
// Readers wait on a condition, so that a commit costs an addition as long as nobody does. Those of
// what is durable and those of what was written wait apart: neither wakes up for nothing.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "read/progress.h"
#include "writeahead/env.h"

namespace writeahead::internal {

class OwnProgress final : public Progress {
 public:
  /// `log`: its path, for messages. `written`: for readers that do not wait for a barrier.
  OwnProgress(Env& env, std::string log, std::shared_ptr<OwnProgress> written = nullptr)
      : env_(env), owner_(env.process_id()), log_(std::move(log)), written_(std::move(written)) {}

  /// More is durable, or less is there: all readers look again. Called without a lock that readers
  /// take.
  void move_on() WRITEAHEAD_EXCLUDES(mutex_);
  /// More was written, and is not durable.
  void move_on_written() {
    if (written_ != nullptr) written_->move_on();
  }
  /// Nothing will become durable any more; the first reason stays.
  void end(const Error& reason) WRITEAHEAD_EXCLUDES(mutex_);

  [[nodiscard]] uint64_t changes() override { return changes_.load(); }
  [[nodiscard]] Progress& written() override { return written_ != nullptr ? *written_ : *this; }
  /// In a forked child: a lock that another thread held at the fork is never given back there.
  [[nodiscard]] std::optional<Error> refusal() override;
  [[nodiscard]] bool is_undisturbed() override;
  [[nodiscard]] std::optional<Error> ending() override WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] Outcome wait(uint64_t seen, Deadline deadline, const std::stop_token& stop) override
      WRITEAHEAD_EXCLUDES(mutex_);

 private:
  Env& env_;
  const uint64_t owner_;
  const std::string log_;
  const std::shared_ptr<OwnProgress> written_;
  std::atomic<uint64_t> changes_ = 0;
  std::atomic<uint64_t> waiting_ = 0;  // threads
  std::atomic<bool> is_ended_ = false;
  Mutex mutex_;
  CondVar changed_;
  std::optional<Error> reason_ WRITEAHEAD_GUARDED_BY(mutex_);
};

}  // namespace writeahead::internal
