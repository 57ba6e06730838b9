// Reading a closed segment whole and comparing it.
// A seal that does not verify is no damage: it is reported as absent.
#include "segment/closed_segment.h"

#include <string>
#include <utility>

namespace writeahead::internal {

Result<CheckedSegment> check_closed_segment(const std::shared_ptr<SegmentReader>& reader,
                                            const SegmentView& segment, ReadSource source) {
  FrameSource frames(reader, segment.binding, segment.header.base_lsn, source);
  auto scan =
      scan_frames(frames, segment.header, segment.end_lsn,
                  segment.is_cut ? ScanLimit::may_cut_a_frame : ScanLimit::is_between_frames);
  if (!scan) return std::unexpected(scan.error());
  const SegmentContents& contents = scan->contents;
  const bool matches = contents.end_lsn == segment.end_lsn &&
                       contents.end_ordinal == segment.end_ordinal &&
                       contents.digest == segment.digest;
  CheckedSegment checked;
  if (scan->stop != ScanStop::limit || !matches) {
    checked.damage =
        Damage{.path = reader->path(),
               .offset = segment_offset(segment.header.base_lsn, contents.end_lsn),
               .lsn = contents.end_lsn,
               .what = scan->stop != ScanStop::limit
                           ? std::string(describe(scan->stop))
                           : "its records are not those that its successor was linked to"};
  } else if (!segment.is_cut) {
    auto seal = read_seal(frames, segment.end_lsn);
    if (!seal) return std::unexpected(seal.error());
    checked.is_sealed = seal->has_value();
  }
  checked.contents = std::move(scan->contents);
  return checked;
}

}  // namespace writeahead::internal
