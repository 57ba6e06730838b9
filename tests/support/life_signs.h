// LifeSigns: what a child that works until it is killed tells its parent; and RandomMoment, until
// which the parent lets it live.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>

#include "support/forked_process.h"
#include "support/shared_count.h"
#include "writeahead/result.h"

namespace writeahead::test {

/// For SharedMemory, zeroed.
struct LifeSigns {
  SharedCount opened;    // children that opened the log
  SharedCount answered;  // records
  /// From now on errors are what the test is about, and nothing to complain of.
  std::atomic<bool> may_fail;
  std::atomic<bool> has_failed;
  std::array<char, 400> complaint;

  /// Keeps the first error.
  void complain(const Error& error);
};

/// How long a child lives: for a random time, or until it was given so many answers.
struct LifeSpan {
  std::chrono::microseconds longest;
  uint64_t most_answers;
};

/// Drawn before the child starts. One of eight may lie inside of its opening of the log.
class RandomMoment {
 public:
  RandomMoment(LifeSigns& signs, LifeSpan span, std::mt19937_64& random);

  /// Sleeps until it has come, or the child ended or failed.
  void await(ForkedProcess& child);
  /// Whether the child had opened the log by now.
  [[nodiscard]] bool is_open() const { return signs_.opened.load() > opened_before_; }

 private:
  LifeSigns& signs_;
  const uint64_t opened_before_;
  const bool may_be_opening_;
  const bool counts_;
  const std::chrono::nanoseconds time_;
  const uint64_t answers_;
};

}  // namespace writeahead::test
