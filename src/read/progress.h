// Progress: whether a log goes on, as readers that wait need to know.
//
// What is durable stands in the SegmentTable; this only says when to look there again, and when
// there is nothing more to wait for. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>

#include "writeahead/result.h"

namespace writeahead::internal {

/// Until when somebody waits; nothing: for ever.
using Deadline = std::optional<std::chrono::steady_clock::time_point>;

/// The moment `timeout` from now; one that no clock reaches is none.
[[nodiscard]] inline Deadline deadline_in(std::optional<std::chrono::nanoseconds> timeout) {
  if (!timeout) return std::nullopt;
  const auto now = std::chrono::steady_clock::now();
  const auto longest = std::chrono::steady_clock::time_point::max() - now;
  return *timeout < longest ? Deadline(now + *timeout) : std::nullopt;
}

class Progress {
 public:
  enum class Outcome { changed, timed_out, stopped };

  Progress() = default;
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  virtual ~Progress() = default;

  /// Differs from what it was whenever there may be something new. To be asked before looking.
  [[nodiscard]] virtual uint64_t changes() = 0;
  /// Why nothing may be read, nor any lock be taken; nothing as long as all is well. Wait-free.
  [[nodiscard]] virtual std::optional<Error> refusal() { return std::nullopt; }
  /// Why nothing will follow what is durable; nothing while something may. To be asked before
  /// looking for the last time.
  [[nodiscard]] virtual std::optional<Error> ending() = 0;
  /// The same for who also reads what was only written.
  [[nodiscard]] virtual Progress& written() { return *this; }
  /// Takes into the table what became durable since. Nothing to do in the writer's own process.
  [[nodiscard]] virtual Result<void> refresh() { return {}; }
  /// Whether refusal() and confirm() surely have nothing to say just now. Wait-free.
  [[nodiscard]] virtual bool is_undisturbed() { return is_current(); }
  /// Whether the table surely knows of every truncation that was committed by now. Wait-free.
  [[nodiscard]] virtual bool is_current() { return true; }
  /// To be called when bytes were read, before they are handed out: takes every truncation that
  /// was committed by now into the table.
  [[nodiscard]] virtual Result<void> confirm() { return {}; }
  /// To be called when something is missing or does not verify, before that is told: takes into
  /// the table what the writer took away.
  [[nodiscard]] virtual Result<void> recheck() { return {}; }
  /// Waits until changes() is not `seen` any more. May say `changed` without a reason.
  [[nodiscard]] virtual Outcome wait(uint64_t seen, Deadline deadline,
                                     const std::stop_token& stop) = 0;
};

}  // namespace writeahead::internal
