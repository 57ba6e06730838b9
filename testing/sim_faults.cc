// SimFaults: judges each call as it is counted.
#include "sim_faults.h"

#include <algorithm>

namespace writeahead::testing {

std::string_view to_string(CallKind kind) {
  constexpr std::array<std::string_view, kCallKinds> kNames = {
      "open",   "create", "read", "write", "dsync_write", "sync",   "directory_sync", "rename",
      "remove", "list",   "lock", "map",   "info",        "random", "make_directory"};
  return kNames[static_cast<size_t>(kind)];
}

namespace internal {

SimFaults::Verdict SimFaults::count(CallKind kind) {
  ++calls_;
  const uint64_t of_kind = ++calls_by_kind_[static_cast<size_t>(kind)];
  Verdict verdict;
  if (calls_ == stop_at_) {
    verdict.stops_machine = true;
    return verdict;
  }
  for (const Failure& failure : failures_) {
    if (failure.kind && *failure.kind != kind) continue;
    const uint64_t number = failure.kind ? of_kind : calls_;
    if (number == failure.k || (failure.span == FaultSpan::for_ever && number > failure.k)) {
      verdict.error = failure.error;
    }
  }
  if (kind == CallKind::read || kind == CallKind::write || kind == CallKind::dsync_write) {
    ++transfers_;
    verdict.transfer = transfer_limit_;
    for (const ShortTransfer& transfer : short_transfers_) {
      if (transfer.k == transfers_) verdict.transfer = std::min(verdict.transfer, transfer.bytes);
    }
  }
  return verdict;
}

void SimFaults::fail(uint64_t k, int error, FaultSpan span, std::optional<CallKind> kind) {
  failures_.push_back({k, error, span, kind});
}

void SimFaults::clear() {
  stop_at_ = 0;
  transfer_limit_ = SIZE_MAX;
  failures_.clear();
  short_transfers_.clear();
}

}  // namespace internal
}  // namespace writeahead::testing
