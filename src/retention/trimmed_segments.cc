// Handing out and removing what was trimmed.
// Nothing is decided here: what is not part of the log was settled by the root.
#include "retention/trimmed_segments.h"

#include <algorithm>

namespace writeahead::internal {

TrimmedSegments::TrimmedSegments(SegmentStore& store, SpaceQuota& quota,
                                 std::span<const uint64_t> left_over)
    : store_(store), quota_(quota) {
  reserve(left_over.size());
  add(left_over, false);
}

void TrimmedSegments::reserve(size_t count) {
  MutexLock lock(mutex_);
  segments_.reserve(segments_.size() + count);
}

void TrimmedSegments::add(std::span<const uint64_t> numbers, bool may_be_recycled) {
  MutexLock lock(mutex_);
  for (const uint64_t number : numbers) {
    segments_.push_back(
        {.number = number, .state = may_be_recycled ? State::recyclable : State::useless});
  }
}

std::optional<uint64_t> TrimmedSegments::take() {
  MutexLock lock(mutex_);
  const auto found = std::ranges::find(segments_, State::recyclable, &Segment::state);
  if (found == segments_.end()) return std::nullopt;
  found->state = State::taken;
  return found->number;
}

void TrimmedSegments::forget(uint64_t number) {
  MutexLock lock(mutex_);
  std::erase_if(segments_, [number](const Segment& segment) { return segment.number == number; });
}

void TrimmedSegments::refuse(uint64_t number) {
  MutexLock lock(mutex_);
  const auto found = std::ranges::find(segments_, number, &Segment::number);
  if (found != segments_.end()) found->state = State::useless;
}

/// What is to be removed now, and is not handed out any more.
std::vector<uint64_t> TrimmedSegments::select(size_t kept) {
  MutexLock lock(mutex_);
  std::vector<uint64_t> numbers;
  numbers.reserve(segments_.size());
  for (Segment& segment : segments_) {
    if (segment.state == State::taken) continue;
    if (segment.state == State::recyclable && kept > 0) {
      --kept;
      continue;
    }
    segment.state = State::useless;
    numbers.push_back(segment.number);
  }
  return numbers;
}

Result<bool> TrimmedSegments::remove(size_t kept) {
  const std::vector<uint64_t> numbers = select(kept);
  if (numbers.empty()) return false;
  auto left = store_.drop(numbers);
  if (!left) return std::unexpected(left.error());
  for (const uint64_t number : numbers) {
    if (std::ranges::find(*left, number) != left->end()) continue;
    quota_.give_back(number);
    forget(number);
  }
  return left->size() < numbers.size();
}

bool TrimmedSegments::has_useless() const {
  MutexLock lock(mutex_);
  return std::ranges::find(segments_, State::useless, &Segment::state) != segments_.end();
}

}  // namespace writeahead::internal
