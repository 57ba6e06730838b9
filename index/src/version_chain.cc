// Turns in a chain.
#include "version_chain.h"

#include <fmt/format.h>

#include "index_error.h"

namespace writeahead::index::internal {
namespace {

Error refusal(ErrorCode code, const VersionLink& link, std::string_view cause) {
  return Error(code, fmt::format("append version {}: {}", link.version, cause));
}

}  // namespace

void VersionChain::begin(const ChainState& state) {
  const std::lock_guard lock(mutex_);
  state_ = state;
}

void VersionChain::end(const Error& reason) {
  const std::lock_guard lock(mutex_);
  ended_ = reason;
  changed_.notify_all();
}

Result<void> VersionChain::admit_plain() {
  const std::lock_guard lock(mutex_);
  if (state_.version != 0 || state_.generation != 0) {
    return std::unexpected(Error(ErrorCode::invalid_argument,
                                 "append tagged record: the records of this log have versions"));
  }
  state_.is_plain = true;
  return {};
}

/// False for a version that was admitted before.
Result<bool> VersionChain::wait_for_turn(std::unique_lock<std::mutex>& lock,
                                         const VersionLink& link, std::chrono::nanoseconds limit) {
  if (link.version <= link.previous_version) {
    return std::unexpected(
        refusal(ErrorCode::invalid_argument, link,
                fmt::format("it is not above {}, which it is to follow", link.previous_version)));
  }
  if (state_.is_plain) {
    return std::unexpected(
        refusal(ErrorCode::invalid_argument, link, "the records of this log have no versions"));
  }
  const auto deadline = std::chrono::steady_clock::now() + limit;
  const auto is_early = [&] {
    return link.generation >= state_.generation && link.previous_version > state_.version;
  };
  const bool has_come = changed_.wait_until(lock, deadline, [&] { return ended_ || !is_early(); });
  if (link.generation < state_.generation) {
    return std::unexpected(
        refusal(ErrorCode::fenced, link,
                fmt::format("generation {} gave way to {}", link.generation, state_.generation)));
  }
  if (is_early() && ended_) return std::unexpected(*ended_);
  if (!has_come) {
    return std::unexpected(refusal(
        ErrorCode::would_block, link,
        fmt::format("version {}, which it is to follow, did not come within {} ms; the last "
                    "one is {}",
                    link.previous_version,
                    std::chrono::duration_cast<std::chrono::milliseconds>(limit).count(),
                    state_.version)));
  }
  if (link.version <= state_.version) return false;
  if (link.previous_version == state_.version) return true;
  return std::unexpected(refusal(ErrorCode::invalid_argument, link,
                                 fmt::format("it is to follow {}, and the last version is {}",
                                             link.previous_version, state_.version)));
}

}  // namespace writeahead::index::internal
