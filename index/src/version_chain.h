// VersionChain: who may append next to a chain of versions, and who waits for that.
//
// It knows what was admitted, durable or not: so that a version that is on its way is followed at
// once, and both share a frame. What became durable VersionBook knows.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>

#include "version_book.h"
#include "writeahead/index/version_link.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead::index::internal {

/// Thread-safe.
class VersionChain {
 public:
  /// Goes on from what the log says.
  void begin(const ChainState& state);
  /// Nothing will be appended any more: who waits for its turn is told why.
  void end(const Error& reason);

  /// Runs `append` for `link` when it is its turn, for `limit` at most after it was asked for: with
  /// the chain held, so that the order of the records is that of the versions. If it succeeds
  /// the chain goes on behind it. Nothing if the version was admitted before. Codes: `fenced`,
  /// `invalid_argument` (the chain leads past it, or there is none), `would_block` (its predecessor
  /// did not come), and those of `append`.
  template <class Append>
  [[nodiscard]] Result<std::optional<Lsn>> admit(const VersionLink& link,
                                                 std::chrono::nanoseconds limit,
                                                 const Append& append) {
    std::unique_lock lock(mutex_);
    auto is_next = wait_for_turn(lock, link, limit);
    if (!is_next) return std::unexpected(is_next.error());
    if (!*is_next) return std::nullopt;
    Result<Lsn> lsn = append();
    if (!lsn) return std::unexpected(lsn.error());
    state_.version = link.version;
    if (link.known_committed_version > state_.known_committed_version) {
      state_.known_committed_version = link.known_committed_version;
    }
    changed_.notify_all();
    return *lsn;
  }
  /// Says that there are records without versions from now on. `invalid_argument` if there are
  /// versions, or a generation.
  [[nodiscard]] Result<void> admit_plain();

  /// Runs `change` with the state, while nobody is admitted; it may change the state.
  template <class Change>
  [[nodiscard]] auto hold(const Change& change) {
    const std::lock_guard lock(mutex_);
    auto result = change(state_);
    changed_.notify_all();
    return result;
  }

 private:
  [[nodiscard]] Result<bool> wait_for_turn(std::unique_lock<std::mutex>& lock,
                                           const VersionLink& link, std::chrono::nanoseconds limit);

  std::mutex mutex_;
  std::condition_variable changed_;
  ChainState state_;
  std::optional<Error> ended_;
};

}  // namespace writeahead::index::internal
