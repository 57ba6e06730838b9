// Looking up and moving holds.
// There are at most kMaxHolds of them, so every search is a walk.
#include "retention/hold_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace writeahead::internal {

std::vector<RootHold> HoldBook::all() const {
  MutexLock lock(mutex_);
  return holds_;
}

std::optional<Lsn> HoldBook::lowest() const {
  MutexLock lock(mutex_);
  if (holds_.empty()) return std::nullopt;
  return std::ranges::min(holds_, std::ranges::less{}, &RootHold::lsn).lsn;
}

Result<size_t> HoldBook::index_of(std::string_view name) const {
  if (closed_) return std::unexpected(*closed_);
  const auto found = std::ranges::find(holds_, name, &RootHold::name);
  if (found == holds_.end()) {
    return std::unexpected(
        make_error(ErrorCode::not_found, fmt::format("find hold '{}'", name), "it was released"));
  }
  return found - holds_.begin();
}

void HoldBook::set(const std::string& name, Lsn lsn) {
  MutexLock lock(mutex_);
  const auto found = std::ranges::find(holds_, name, &RootHold::name);
  if (found != holds_.end()) {
    found->lsn = lsn;
  } else {
    holds_.push_back({.name = name, .lsn = lsn});
  }
}

void HoldBook::lower_to(Lsn end) {
  MutexLock lock(mutex_);
  for (RootHold& hold : holds_) hold.lsn = std::min(hold.lsn, end);
}

/// After close() its owner may be gone.
std::optional<Error> HoldBook::refusal() const {
  return is_closed_.load() ? std::nullopt : refusal_();
}

Result<Lsn> HoldBook::find(std::string_view name) const {
  if (auto refused = refusal()) return std::unexpected(*refused);
  MutexLock lock(mutex_);
  const auto index = index_of(name);
  if (!index) return std::unexpected(index.error());
  return holds_[*index].lsn;
}

Result<void> HoldBook::advance(std::string_view name, Lsn lsn) {
  if (auto refused = refusal()) return std::unexpected(*refused);
  MutexLock lock(mutex_);
  const auto index = index_of(name);
  if (!index) return std::unexpected(index.error());
  RootHold& hold = holds_[*index];
  if (lsn < hold.lsn) {
    return std::unexpected(make_error(
        ErrorCode::invalid_argument, fmt::format("advance hold '{}'", name),
        fmt::format("it stands at {} already", hold.lsn.value()), {.path = {}, .lsn = lsn}));
  }
  if (lsn == hold.lsn) return {};
  hold.lsn = lsn;
  on_change_();
  return {};
}

Result<void> HoldBook::release(std::string_view name) {
  if (auto refused = refusal()) return std::unexpected(*refused);
  MutexLock lock(mutex_);
  const auto index = index_of(name);
  if (!index) return std::unexpected(index.error());
  holds_.erase(holds_.begin() + static_cast<std::ptrdiff_t>(*index));
  on_change_();
  return {};
}

void HoldBook::close(const Error& error) {
  MutexLock lock(mutex_);
  closed_ = error;
  is_closed_.store(true);
}

}  // namespace writeahead::internal
