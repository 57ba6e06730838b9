// Two structures over the same entries: their order, and the way to each.
// Neither takes memory once reserve() was called, so that nothing fails behind an address.
#include "retention/producer_book.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace writeahead::internal {

const ProducerEntry* ProducerBook::find(uint64_t producer) const {
  const auto place = places_.find(producer);
  return place == places_.end() ? nullptr : &*place->second;
}

void ProducerBook::reserve() {
  if (spare_.empty()) spare_.emplace_back();
  if (spare_place_.empty()) {
    Places one;
    one.try_emplace(0);
    spare_place_ = one.extract(one.begin());
  }
  // Asked for seldom: each time it gives as many buckets as fit, be they fewer than there are. A
  // map that never had an entry has one bucket, and makes others when the first one comes.
  const uint64_t needed = places_.size() + 1;
  if (needed > places_.bucket_count() || places_.bucket_count() == 1) places_.reserve(2 * needed);
}

void ProducerBook::note(const ProducerEntry& entry) {
  if (const auto place = places_.find(entry.last.producer); place != places_.end()) {
    *place->second = entry;
    entries_.splice(entries_.end(), entries_, place->second);
    return;
  }
  if (entries_.size() >= most_) forget_oldest();
  spare_.front() = entry;
  entries_.splice(entries_.end(), spare_);
  spare_place_.key() = entry.last.producer;
  spare_place_.mapped() = std::prev(entries_.end());
  places_.insert(std::move(spare_place_));
}

void ProducerBook::limit_to(uint64_t most) {
  most_ = std::max<uint64_t>(most, 1);
  while (entries_.size() > most_) forget_oldest();
}

void ProducerBook::forget_below(Lsn lsn) {
  while (!is_empty() && entries_.front().range.first_lsn < lsn) forget_oldest();
}

void ProducerBook::forget_oldest() {
  places_.erase(entries_.front().last.producer);
  entries_.pop_front();
}

void ProducerBook::encode(std::span<std::byte> out) const {
  for (const ProducerEntry& entry : entries_) {
    encode_producer_entry(entry, out);
    out = out.subspan(kProducerEntryBytes);
  }
}

}  // namespace writeahead::internal
