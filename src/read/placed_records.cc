// Looking for the places, and reading there.
// No handle is kept: one that outlived its segment's place in the log would keep the file from use.
#include "read/placed_records.h"

#include <algorithm>
#include <utility>

#include "format/seal.h"
#include "segment/frame_source.h"

namespace writeahead::internal {

std::shared_ptr<const PlacedRecords::Places> PlacedRecords::places() const {
  if (!has_places_.load(std::memory_order_relaxed)) return nullptr;
  MutexLock lock(mutex_);
  return places_;
}

std::optional<RecordView> PlacedRecords::read(Lsn lsn, uint64_t truncations) {
  const auto places = this->places();
  if (places == nullptr) return std::nullopt;
  const SegmentView& segment = places->segment;
  if (places->truncations != truncations) {
    forget(segment.header.number);
    return std::nullopt;
  }
  const Lsn base = segment.header.base_lsn;
  if (lsn < base || lsn >= segment.end_lsn) return std::nullopt;
  const auto place = places->records->find(lsn - base);
  if (!place) return std::nullopt;
  // Fails if the segment left the log.
  const auto reader = table_.reader(store_, segment.header.number);
  if (!reader) {
    if (!table_.at(segment.header.number)) forget(segment.header.number);
    return std::nullopt;
  }
  auto single = places->windows->read(**reader, segment, lsn);
  if (!single) return std::nullopt;
  return RecordView{.lsn = lsn,
                    .ordinal = segment.header.base_ordinal + place->records_before,
                    .time_ns = place->time_ns,
                    .type = single->record.header.type,
                    .payload = single->record.payload(),
                    .producer_number = single->record.mark(),
                    .pin = std::move(single->memory)};
}

void PlacedRecords::forget(uint64_t number) {
  MutexLock lock(mutex_);
  if (places_ != nullptr && places_->segment.header.number == number) places_ = nullptr;
}

/// Whether searches have cost as much as finding all that is not known yet, and as copying what is.
/// A search begins at an entry of the sparse index, on average half an interval away.
bool PlacedRecords::is_earned(const SegmentView& segment, const Places* known) {
  const Lsn from = known != nullptr ? known->segment.end_lsn : segment.header.base_lsn;
  const uint64_t cost =
      segment.end_lsn - from + (known != nullptr ? known->records->heap_bytes() : 0);
  MutexLock lock(mutex_);
  searched_bytes_ += kIndexInterval / 2;
  if (searched_bytes_ < cost) return false;
  searched_bytes_ = 0;
  return true;
}

void PlacedRecords::count_search(Lsn lsn) {
  const uint64_t truncations = table_.truncations();
  const auto segment = table_.find(lsn);
  // Of a closed one the contents may be unknown, and of one that was cut the last frame goes on
  // behind its end.
  if (!segment || segment->is_closed || segment->is_empty()) return;
  const auto before = places();
  const bool goes_on = before != nullptr && before->truncations == truncations &&
                       before->segment.header.number == segment->header.number;
  const Places* const known = goes_on ? before.get() : nullptr;
  if (!is_earned(*segment, known)) return;
  auto reader = table_.reader(store_, segment->header.number);
  if (!reader) return;
  FrameSource source(std::move(*reader), segment->binding, segment->header.base_lsn,
                     ReadSource::any);
  auto records = RecordMap::build(source, segment->header.base_lsn, segment->end_lsn,
                                  known != nullptr ? known->records.get() : nullptr,
                                  known != nullptr ? known->segment.end_lsn : Lsn{});
  // What is wrong with the segment is found by whoever reads there.
  if (!records || *records == nullptr) return;
  auto places = std::make_shared<const Places>(
      Places{.segment = *segment,
             .truncations = truncations,
             .records = std::move(*records),
             .windows = known != nullptr ? known->windows : std::make_shared<RecordWindows>()});
  MutexLock lock(mutex_);
  places_ = std::move(places);
  has_places_.store(true, std::memory_order_relaxed);
}

}  // namespace writeahead::internal
