// Finding, keeping and dropping mappings.
// A list that readers look at is never changed, only replaced.
#include "segment/mapped_segments.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <utility>

namespace writeahead::internal {
namespace {

uint64_t number_of(const std::shared_ptr<MappedSegment>& segment) {
  return segment->range().binding.number;
}

/// Which of several copies this thread looks at.
size_t copy_of_thread(size_t copies) {
  static std::atomic<size_t> next = 0;
  thread_local const size_t kMine = next.fetch_add(1, std::memory_order_relaxed);
  return kMine % copies;
}

}  // namespace

const std::shared_ptr<MappedSegment>* MappedSegments::find_in(const List& list, Lsn lsn) {
  const auto above =
      std::ranges::upper_bound(list, lsn, std::ranges::less{},
                               [](const auto& segment) { return segment->range().base_lsn; });
  if (above == list.begin()) return nullptr;
  const auto& found = *std::prev(above);
  return lsn < found->range().end_lsn ? &found : nullptr;
}

std::shared_ptr<MappedSegment> MappedSegments::find(Lsn lsn) const {
  Copy& copy = copies_[copy_of_thread(kCopies)];
  MutexLock lock(copy.mutex);
  const auto* const found = copy.list != nullptr ? find_in(*copy.list, lsn) : nullptr;
  return found != nullptr ? *found : nullptr;
}

std::shared_ptr<const MappedSegments::List> MappedSegments::list() const {
  Copy& copy = copies_[copy_of_thread(kCopies)];
  MutexLock lock(copy.mutex);
  return copy.list;
}

std::shared_ptr<MappedSegment> MappedSegments::at(uint64_t number) const {
  MutexLock lock(mutex_);
  const auto found = std::ranges::lower_bound(*list_, number, std::ranges::less{}, number_of);
  return found != list_->end() && number_of(*found) == number ? *found : nullptr;
}

std::shared_ptr<MappedSegment> MappedSegments::insert(std::shared_ptr<MappedSegment> segment) {
  List list = *list_;
  const auto place =
      std::ranges::lower_bound(list, number_of(segment), std::ranges::less{}, number_of);
  if (place != list.end() && number_of(*place) == number_of(segment)) return *place;
  list.insert(place, segment);
  evict(list, segment.get());
  publish(std::move(list));
  return segment;
}

void MappedSegments::limit(const MappedSegment& grown) {
  MutexLock lock(mutex_);
  List list = *list_;
  evict(list, &grown);
  if (list.size() != list_->size()) publish(std::move(list));
}

/// By second chance: one that was used since the hand came by the last time stays.
void MappedSegments::evict(List& list, const MappedSegment* spared) {
  const auto heap_bytes = [](const MappedSegment& segment) {
    return segment.records() == nullptr ? 0 : segment.records()->heap_bytes();
  };
  uint64_t total = 0;
  for (const auto& segment : list) total += heap_bytes(*segment);
  while (list.size() > 1 && (list.size() > kKeptSegments || total > kKeptHeapBytes)) {
    hand_ = hand_ >= list.size() ? 0 : hand_;
    MappedSegment& candidate = *list[hand_];
    if (&candidate == spared || candidate.take_use()) {
      ++hand_;
      continue;
    }
    total -= heap_bytes(candidate);
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(hand_));
  }
}

void MappedSegments::remove(uint64_t begin, uint64_t end) {
  MutexLock lock(mutex_);
  const auto is_removed = [&](const auto& segment) {
    return number_of(segment) >= begin && number_of(segment) < end;
  };
  if (std::ranges::none_of(*list_, is_removed)) return;
  try {
    List list = *list_;
    std::erase_if(list, is_removed);
    publish(std::move(list));
  } catch (const std::bad_alloc&) {
    replace_list(none_);
  }
}

void MappedSegments::publish(List list) {
  replace_list(std::make_shared<const List>(std::move(list)));
}

void MappedSegments::replace_list(std::shared_ptr<const List> list) {
  list_ = std::move(list);
  for (Copy& copy : copies_) {
    MutexLock lock(copy.mutex);
    copy.list = list_;
  }
}

}  // namespace writeahead::internal
