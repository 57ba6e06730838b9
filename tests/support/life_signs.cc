// Complaining, and sleeping for a count or a time.
#include "support/life_signs.h"

#include <algorithm>

namespace writeahead::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds(120);
// So often it is asked whether the child is still there.
constexpr std::chrono::nanoseconds kSlice = std::chrono::milliseconds(50);

}  // namespace

void LifeSigns::complain(const Error& error) {
  if (may_fail) return;
  if (!has_failed.exchange(true)) error.message().copy(complaint.data(), complaint.size() - 1);
}

RandomMoment::RandomMoment(LifeSigns& signs, LifeSpan span, std::mt19937_64& random)
    : signs_(signs),
      opened_before_(signs.opened.load()),
      may_be_opening_(random() % 8 == 0),
      counts_(!may_be_opening_ && random() % 2 == 0),
      time_(std::chrono::microseconds(random() % static_cast<uint64_t>(span.longest.count()))),
      answers_(signs.answered.load() + random() % span.most_answers) {}

void RandomMoment::await(ForkedProcess& child) {
  const auto is_over = [&, end = Clock::now() + kPatience] {
    return child.ended() || signs_.has_failed || Clock::now() > end;
  };
  const auto sleep_for = [&](SharedCount& count, uint64_t goal) {
    while (!count.wait_for(goal, kSlice)) {
      if (is_over()) return;
    }
  };
  if (!may_be_opening_) sleep_for(signs_.opened, opened_before_ + 1);
  if (counts_) return sleep_for(signs_.answered, answers_);
  // Nobody counts that far: the time is over, or the child has ended.
  const auto end = Clock::now() + time_;
  while (Clock::now() < end && !is_over()) {
    signs_.answered.wait_for(UINT64_MAX,
                             std::min<std::chrono::nanoseconds>(kSlice, end - Clock::now()));
  }
}

}  // namespace writeahead::test
