// FollowerAlarm: when followers in other processes are woken.
//
// A few are woken at each commit. A crowd is woken now and then, by the background thread: its work
// at each commit would take the processors from the writer, and waking it the writer's time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

#include "writeahead/env.h"

namespace writeahead::internal {

class FollowerAlarm {
 public:
  /// More than these are a crowd.
  static constexpr uint64_t kFew = 4;
  /// A crowd is left alone for so long each after it was woken, and for that at the longest: what
  /// it does with its records takes the processors, too. At least 1 ms, since it is more than kFew.
  static constexpr std::chrono::nanoseconds kRestForEach = std::chrono::microseconds(200);
  static constexpr std::chrono::nanoseconds kLongestRest = std::chrono::milliseconds(10);

  /// `wake_all` wakes all who sleep, and returns how many did; `wake_background` has the owner of
  /// step() call it.
  FollowerAlarm(Env& env, std::function<uint64_t()> wake_all, std::function<void()> wake_background)
      : env_(env), wake_all_(std::move(wake_all)), wake_background_(std::move(wake_background)) {}

  /// Something became durable, and the store says so. Thread-safe; costs what `wake_all` does, or
  /// an atomic beside a crowd.
  void ring();
  /// Wakes a crowd whose rest is over, if there is news for it; returns after how long to come
  /// again. By one thread at a time.
  [[nodiscard]] std::chrono::nanoseconds step();

 private:
  [[nodiscard]] uint64_t wake();
  [[nodiscard]] std::chrono::nanoseconds rest();

  Env& env_;
  const std::function<uint64_t()> wake_all_;
  const std::function<void()> wake_background_;
  std::atomic<bool> is_crowd_ = false;  // step() wakes them, and nobody else
  std::atomic<bool> has_news_ = false;
  std::atomic<uint64_t> rest_end_ns_ = 0;
};

}  // namespace writeahead::internal
