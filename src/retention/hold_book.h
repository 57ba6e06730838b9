// HoldBook: the holds of an open log as they stand now, which may be ahead of what the root says.
//
// A hold that is created or moved back is written to the root before it is entered here, by the
// log; one that is advanced or released here is written later. So the root never promises less.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "format/root_slot.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// Thread-safe.
class HoldBook {
 public:
  /// `on_change` is called when there is something to be written to the root; not to call back
  /// here. `refusal`, called without a lock until close(), says why handles may not be used.
  HoldBook(std::vector<RootHold> holds, std::function<void()> on_change,
           std::function<std::optional<Error>()> refusal)
      : refusal_(std::move(refusal)), holds_(std::move(holds)), on_change_(std::move(on_change)) {}

  [[nodiscard]] std::vector<RootHold> all() const WRITEAHEAD_EXCLUDES(mutex_);
  /// What no trim may pass; nothing without a hold.
  [[nodiscard]] std::optional<Lsn> lowest() const WRITEAHEAD_EXCLUDES(mutex_);
  /// Creates a hold or moves it anywhere: the root says so already. There is room for it.
  void set(const std::string& name, Lsn lsn) WRITEAHEAD_EXCLUDES(mutex_);
  /// Moves holds above `end` there: the log ends there now, and the root says so already.
  void lower_to(Lsn end) WRITEAHEAD_EXCLUDES(mutex_);

  [[nodiscard]] Result<Lsn> find(std::string_view name) const WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] Result<void> advance(std::string_view name, Lsn lsn) WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] Result<void> release(std::string_view name) WRITEAHEAD_EXCLUDES(mutex_);
  /// From here on every call of a handle answers `error`.
  void close(const Error& error) WRITEAHEAD_EXCLUDES(mutex_);

 private:
  [[nodiscard]] Result<size_t> index_of(std::string_view name) const WRITEAHEAD_REQUIRES(mutex_);

  [[nodiscard]] std::optional<Error> refusal() const;

  const std::function<std::optional<Error>()> refusal_;
  std::atomic<bool> is_closed_ = false;
  mutable Mutex mutex_;
  std::vector<RootHold> holds_ WRITEAHEAD_GUARDED_BY(mutex_);
  std::function<void()> on_change_ WRITEAHEAD_GUARDED_BY(mutex_);
  std::optional<Error> closed_ WRITEAHEAD_GUARDED_BY(mutex_);
};

}  // namespace writeahead::internal
