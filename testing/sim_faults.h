// SimFaults: counts calls and says which of them fail, fall short or stop the machine.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "writeahead/testing/sim_call.h"

namespace writeahead::testing::internal {

/// Not thread-safe: guarded by the machine's mutex.
class SimFaults {
 public:
  struct Verdict {
    bool stops_machine = false;
    int error = 0;               // An errno, 0 for none.
    size_t transfer = SIZE_MAX;  // At most so many bytes.
  };

  /// Counts a call and judges it.
  Verdict count(CallKind kind);

  void stop_at(uint64_t call) { stop_at_ = call; }
  void fail(uint64_t k, int error, FaultSpan span, std::optional<CallKind> kind);
  void shorten(uint64_t k, size_t bytes) { short_transfers_.push_back({k, bytes}); }
  void limit_transfers(size_t bytes) { transfer_limit_ = bytes; }
  void clear();

  [[nodiscard]] uint64_t calls() const { return calls_; }
  [[nodiscard]] uint64_t calls(CallKind kind) const {
    return calls_by_kind_[static_cast<size_t>(kind)];
  }

 private:
  struct Failure {
    uint64_t k;
    int error;
    FaultSpan span;
    std::optional<CallKind> kind;
  };
  struct ShortTransfer {
    uint64_t k;
    size_t bytes;
  };

  uint64_t calls_ = 0;
  uint64_t transfers_ = 0;
  std::array<uint64_t, kCallKinds> calls_by_kind_{};
  uint64_t stop_at_ = 0;
  size_t transfer_limit_ = SIZE_MAX;
  std::vector<Failure> failures_;
  std::vector<ShortTransfer> short_transfers_;
};

}  // namespace writeahead::testing::internal
