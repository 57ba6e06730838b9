// Looking for the places, and reading there.
// No handle is kept: one that outlived its segment's place in the log would keep the file from use.
#include "read/placed_records.h"

#include <algorithm>
#include <span>
#include <utility>

#include "format/record.h"
#include "format/seal.h"
#include "segment/frame_source.h"

namespace writeahead::internal {
namespace {

/// The bytes of a record, and what keeps them.
struct Loaded {
  std::shared_ptr<std::byte[]> memory;
  std::span<const std::byte> bytes;
};

std::optional<Loaded> load(SegmentReader& reader, uint64_t offset, uint64_t count) {
  Loaded loaded{.memory = std::make_shared_for_overwrite<std::byte[]>(count), .bytes = {}};
  if (!reader.read(offset, {loaded.memory.get(), count}, ReadSource::any)) return std::nullopt;
  loaded.bytes = {loaded.memory.get(), count};
  return loaded;
}

/// So many bytes first, which most small records do not exceed; a longer one is read again, whole.
std::optional<Loaded> load_record(SegmentReader& reader, uint64_t offset, uint64_t most) {
  constexpr uint64_t kFirstBytes = 512;
  auto loaded = load(reader, offset, std::min(kFirstBytes, most));
  if (!loaded || loaded->bytes.size() < kRecordHeaderBytes) return std::nullopt;
  const uint64_t encoded = encoded_record_bytes(decode_record_header(loaded->bytes).length);
  if (encoded <= loaded->bytes.size()) return loaded;
  // No length is believed that leads behind what is durable.
  return encoded <= most ? load(reader, offset, encoded) : std::nullopt;
}

}  // namespace

std::shared_ptr<const PlacedRecords::Places> PlacedRecords::places() const {
  if (!has_places_.load(std::memory_order_relaxed)) return nullptr;
  MutexLock lock(mutex_);
  return places_;
}

std::optional<RecordView> PlacedRecords::read(Lsn lsn, uint64_t truncations) {
  const auto places = this->places();
  if (places == nullptr || places->truncations != truncations) return std::nullopt;
  const SegmentView& segment = places->segment;
  const Lsn base = segment.header.base_lsn;
  if (lsn < base || lsn >= segment.end_lsn) return std::nullopt;
  const auto place = places->records->find(lsn - base);
  if (!place) return std::nullopt;
  // Fails if the segment left the log.
  const auto reader = table_.reader(store_, segment.header.number);
  if (!reader) return std::nullopt;
  auto loaded = load_record(**reader, segment_offset(base, lsn), segment.end_lsn - lsn);
  if (!loaded) return std::nullopt;
  const VerifiedRecord record = verify_record(loaded->bytes, lsn, segment.binding.segment_seed);
  if (record.encoded_bytes == 0) return std::nullopt;
  return RecordView{.lsn = lsn,
                    .ordinal = segment.header.base_ordinal + place->records_before,
                    .time_ns = place->time_ns,
                    .type = record.header.type,
                    .payload = record.payload,
                    .pin = std::move(loaded->memory)};
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
      Places{.segment = *segment, .truncations = truncations, .records = std::move(*records)});
  MutexLock lock(mutex_);
  places_ = std::move(places);
  has_places_.store(true, std::memory_order_relaxed);
}

}  // namespace writeahead::internal
