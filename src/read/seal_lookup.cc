// From a seal to a frame and a record in it.
// The seal has to agree with the link of the segment behind it, and each frame with its entry.
#include "read/seal_lookup.h"

#include <utility>

#include "format/frame.h"
#include "segment/frame_source.h"
#include "segment/segment_scan.h"

namespace writeahead::internal {
namespace {

/// The seal of a segment, if it speaks of what the segment's successor was linked to.
std::optional<Seal> fitting_seal(const std::shared_ptr<SegmentReader>& reader,
                                 const SegmentView& segment) {
  FrameSource source(reader, segment.binding, segment.header.base_lsn, ReadSource::device);
  auto seal = read_seal(source, segment.end_lsn);
  if (!seal || !*seal) return std::nullopt;
  const bool fits = (*seal)->end_lsn == segment.end_lsn &&
                    (*seal)->records == segment.end_ordinal - segment.header.base_ordinal &&
                    (*seal)->digest == segment.digest;
  return fits ? std::move(*seal) : std::nullopt;
}

/// The first record that `is_meant` says, from the last entry on that `is_before` allows. It is
/// asked of the end of a frame first: of none of its records if not of that.
template <class IsBefore, class IsMeant>
SealAnswer search(const std::shared_ptr<SegmentReader>& reader, const SegmentView& segment,
                  const Seal& seal, IsBefore is_before, IsMeant is_meant) {
  Lsn lsn = segment.header.base_lsn;
  uint64_t ordinal = segment.header.base_ordinal;
  for (const IndexEntry& entry : seal.index) {
    if (!is_before(entry)) break;
    lsn = entry.lsn;
    ordinal = entry.first_ordinal;
  }
  if (lsn < segment.header.base_lsn) return {};
  FrameSource source(reader, segment.binding, segment.header.base_lsn, ReadSource::any);
  while (lsn < segment.end_lsn) {
    const auto frame = source.at(lsn, segment.end_lsn);
    if (!frame || !*frame) return {};
    const FrameHeader& header = (*frame)->header;
    if (header.kind != FrameKind::data || header.first_ordinal != ordinal) return {};
    FrameWalk walk(header, (*frame)->bytes, source.binding());
    const RecordPlace last{.lsn = (*frame)->end_lsn(),
                           .ordinal = ordinal + header.record_count - 1,
                           .time_ns = header.time_ns};
    for (; ordinal <= last.ordinal && is_meant(last); ++ordinal) {
      if (!walk.next()) return {};
      const RecordPlace place{.lsn = walk.lsn(), .ordinal = ordinal, .time_ns = header.time_ns};
      if (is_meant(place)) return {.is_known = true, .record = place};
    }
    ordinal = last.ordinal + 1;
    lsn = last.lsn;
  }
  return {.is_known = true, .record = std::nullopt};
}

}  // namespace

SealAnswer find_ordinal_by_seal(const std::shared_ptr<SegmentReader>& reader,
                                const SegmentView& segment, uint64_t ordinal) {
  const auto seal = fitting_seal(reader, segment);
  if (!seal) return {};
  return search(
      reader, segment, *seal,
      [ordinal](const IndexEntry& entry) { return entry.first_ordinal <= ordinal; },
      [ordinal](const RecordPlace& record) { return record.ordinal >= ordinal; });
}

SealAnswer find_lsn_by_seal(const std::shared_ptr<SegmentReader>& reader,
                            const SegmentView& segment, Lsn lsn) {
  const auto seal = fitting_seal(reader, segment);
  if (!seal) return {};
  return search(
      reader, segment, *seal, [lsn](const IndexEntry& entry) { return entry.lsn <= lsn; },
      [lsn](const RecordPlace& record) { return record.lsn >= lsn; });
}

SealAnswer find_time_by_seal(const std::shared_ptr<SegmentReader>& reader,
                             const SegmentView& segment, uint64_t time_ns) {
  const auto seal = fitting_seal(reader, segment);
  if (!seal) return {};
  if (seal->last_time_ns < time_ns) return {.is_known = true, .record = std::nullopt};
  return search(
      reader, segment, *seal,
      [time_ns](const IndexEntry& entry) { return entry.time_ns < time_ns; },
      [time_ns](const RecordPlace& record) { return record.time_ns >= time_ns; });
}

}  // namespace writeahead::internal
