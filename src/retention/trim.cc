// Choosing what a trim drops.
// Only whole segments go: a record's Lsn stays a position in its file.
#include "retention/trim.h"

namespace writeahead::internal {

std::optional<Trim> trim_closed(std::span<const SegmentView> segments, Lsn limit) {
  Trim trim;
  for (size_t i = 0; i + 1 < segments.size() && segments[i].end_lsn <= limit; ++i) {
    trim.dropped.push_back(segments[i].header.number);
    const SegmentHeader& next = segments[i + 1].header;
    trim.first = {.number = next.number, .lsn = next.base_lsn, .ordinal = next.base_ordinal};
  }
  if (trim.dropped.empty()) return std::nullopt;
  return trim;
}

Trim trim_all(std::span<const SegmentView> segments, uint64_t next_number) {
  const SegmentView& last = segments.back();
  Trim trim{.first = {.number = next_number, .lsn = last.end_lsn, .ordinal = last.end_ordinal},
            .dropped = {}};
  for (const SegmentView& segment : segments) trim.dropped.push_back(segment.header.number);
  return trim;
}

}  // namespace writeahead::internal
