// Waking followers, a few or a crowd.
// A wake-up that is lost costs a follower at most the 50 ms after which it looks by itself.
#include "commit/follower_alarm.h"

#include <algorithm>

namespace writeahead::internal {

/// Returns how many slept.
uint64_t FollowerAlarm::wake() {
  const uint64_t woken = wake_all_();
  if (woken <= kFew) return woken;
  const auto rest = std::min<std::chrono::nanoseconds>(woken * kRestForEach, kLongestRest);
  rest_end_ns_.store(env_.monotonic_ns() + static_cast<uint64_t>(rest.count()));
  return woken;
}

void FollowerAlarm::ring() {
  if (is_crowd_.load()) {
    has_news_.store(true);
    // If step() has gone over to few since, it may not have seen that.
    if (is_crowd_.load() || !has_news_.exchange(false)) return;
  }
  if (wake() <= kFew) return;
  is_crowd_.store(true);
  wake_background_();
}

/// How much of their rest is left; at least 1 ns.
std::chrono::nanoseconds FollowerAlarm::rest() {
  const uint64_t now = env_.monotonic_ns();
  const uint64_t end = rest_end_ns_.load();
  return std::chrono::nanoseconds(end > now ? end - now : 1);
}

std::chrono::nanoseconds FollowerAlarm::step() {
  constexpr auto kForEver = std::chrono::nanoseconds::max();
  if (!is_crowd_.load()) return kForEver;
  if (env_.monotonic_ns() < rest_end_ns_.load()) return rest();
  if (has_news_.exchange(false) && wake() > kFew) return rest();
  is_crowd_.store(false);
  // News that came meanwhile were left to this step.
  if (has_news_.exchange(false)) ring();
  return is_crowd_.load() ? rest() : kForEver;
}

}  // namespace writeahead::internal
