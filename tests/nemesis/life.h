// Life: what the threads of a process of the nemesis share: until when they run, what they write
// down, and how they mark what they append.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <thread>

#include "nemesis/history_file.h"
#include "support/marked_payload.h"

namespace writeahead::nemesis {

/// Set by SIGTERM.
extern std::atomic<bool> must_stop;
/// From here on SIGTERM asks the process to finish what it does and go.
void await_sigterm();

/// What a process appends, and what reads tell of it.
inline uint64_t id_of(const test::Mark& mark) { return id_of(mark.writer, mark.number); }
inline uint64_t id_of_payload(std::span<const std::byte> payload) {
  const auto mark = test::mark_of(payload);
  return mark ? id_of(*mark) : kDamagedId;
}

/// A pause of up to twice `mean`.
inline void pause(std::minstd_rand& random, std::chrono::microseconds mean) {
  if (mean.count() == 0) return;
  std::uniform_int_distribution<int64_t> length(0, 2 * mean.count());
  std::this_thread::sleep_for(std::chrono::microseconds(length(random)));
}

}  // namespace writeahead::nemesis
