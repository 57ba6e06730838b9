// Building and asking a map of records.
// It is made of frames whose headers and record lengths verified, and never changes.
#include "segment/record_map.h"

#include <algorithm>

#include "format/frame.h"

namespace writeahead::internal {
namespace {

/// As std::popcount, which is a call of the compiler's library where the processor need not have
/// an instruction for it: adds up neighbours, of two, four and eight bits, and then all bytes.
uint32_t count_bits(uint64_t bits) {
  bits -= bits >> 1 & 0x5555555555555555;
  bits = (bits & 0x3333333333333333) + (bits >> 2 & 0x3333333333333333);
  bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f;
  return static_cast<uint32_t>(bits * 0x0101010101010101 >> 56);
}

}  // namespace

Result<std::unique_ptr<const RecordMap>> RecordMap::build(FrameSource& source, Lsn base_lsn,
                                                          Lsn end_lsn, const RecordMap* known,
                                                          Lsn known_end) {
  const uint64_t units = (end_lsn - base_lsn) / kUnitBytes;
  if (units / kUnitsPerLine * sizeof(Line) > kMostHeapBytes) return nullptr;
  std::unique_ptr<RecordMap> map(new RecordMap(units));
  if (known != nullptr) {
    std::ranges::copy(known->lines_, map->lines_.begin());
    map->frames_ = known->frames_;
    map->times_ns_ = known->times_ns_;
  }
  for (Lsn lsn = known != nullptr ? known_end : base_lsn; lsn < end_lsn;) {
    auto frame = source.at(lsn, end_lsn);
    if (!frame) return std::unexpected(frame.error());
    if (!*frame || map->heap_bytes() > kMostHeapBytes) return nullptr;
    if (!map->add(**frame, source.binding(), base_lsn)) return nullptr;
    lsn = (*frame)->end_lsn();
  }
  map->frames_.shrink_to_fit();
  map->times_ns_.shrink_to_fit();
  map->finish();
  return std::unique_ptr<const RecordMap>(std::move(map));
}

bool RecordMap::add(const Frame& frame, const SegmentBinding& binding, Lsn base_lsn) {
  frames_.push_back(static_cast<uint32_t>((frame.header.lsn - base_lsn) / kUnitBytes));
  times_ns_.push_back(frame.header.time_ns);
  FrameWalk walk(frame.header, frame.bytes, binding);
  while (walk.skip()) {
    const uint64_t unit = (walk.lsn() - base_lsn) / kUnitBytes;
    const uint64_t bit = unit % kUnitsPerLine;
    lines_[unit / kUnitsPerLine].begins[bit / 64] |= uint64_t{1} << (bit % 64);
  }
  return walk.is_whole();
}

/// Counts what comes before each line.
void RecordMap::finish() {
  uint32_t records = 0;
  size_t frame = 0;
  for (size_t i = 0; i < lines_.size(); ++i) {
    while (frame + 1 < frames_.size() && frames_[frame + 1] <= i * kUnitsPerLine) ++frame;
    lines_[i].records_before = records;
    lines_[i].frame = static_cast<uint32_t>(frame);
    uint32_t before = 0;
    for (size_t word = 0; word < kWords; ++word) {
      lines_[i].begins_before[word] = static_cast<uint8_t>(before);
      before += count_bits(lines_[i].begins[word]);
    }
    records += before;
  }
}

std::optional<RecordMap::Place> RecordMap::find(uint64_t offset) const {
  const uint64_t unit = offset / kUnitBytes;
  if (offset % kUnitBytes != 0 || unit / kUnitsPerLine >= lines_.size()) return std::nullopt;
  const Line& line = lines_[unit / kUnitsPerLine];
  const uint64_t word = unit % kUnitsPerLine / 64;
  const uint64_t bit = uint64_t{1} << (unit % kUnitsPerLine % 64);
  if ((line.begins[word] & bit) == 0) return std::nullopt;
  const uint64_t records =
      line.records_before + line.begins_before[word] + count_bits(line.begins[word] & (bit - 1));
  // A frame is at least a header long, so this takes at most some dozens of steps.
  size_t frame = line.frame;
  while (frame + 1 < frames_.size() && frames_[frame + 1] <= unit) ++frame;
  return Place{.records_before = records, .time_ns = times_ns_[frame]};
}

}  // namespace writeahead::internal
