// Reading the last segment in the fastest way that leaves the verdict to the device.
// Whatever the page cache shows that is not as it should be is read again past it.
#include "recovery/tail_scan.h"

#include <algorithm>

#include "segment/frame_source.h"

namespace writeahead::internal {

/// The root was written with that position when every barrier over what lies below it had
/// succeeded, so that no failed sync is left which could make the cache show what the device lacks.
/// The block of the position stays out of the cache: a writer may go on in it. As with header
/// blocks only good news is taken from there: if not all that is proven verifies, the device is
/// asked for all of it.
Result<ScanResult> scan_tail(const Inspection& found, std::optional<Lsn> durable,
                             Scrutiny scrutiny) {
  const SegmentHeader& header = found.data.back().header;
  const auto binding = SegmentBinding::of(header.log_id, header.number);
  const Lsn limit = std::min(durable.value_or(Lsn(UINT64_MAX)), frames_end_of(header));
  const ProvenPosition& proven = found.root.proven;
  const bool is_inside =
      proven.number == header.number && proven.lsn > header.base_lsn && proven.lsn <= limit;
  if (scrutiny == Scrutiny::what_is_not_proven && is_inside) {
    const uint64_t offset = segment_offset(header.base_lsn, proven.lsn);
    found.last->allow_cache_below(round_down(offset, kBlockBytes));
    FrameSource source(found.last, binding, header.base_lsn, ReadSource::any);
    auto scan = scan_frames(source, header, limit);
    if (!scan || scan->contents.end_lsn >= proven.lsn) return scan;
  }
  FrameSource source(found.last, binding, header.base_lsn, ReadSource::device);
  return scan_frames(source, header, limit);
}

/// An opening writes one of the slots before anything else. If that one went bad since, the other
/// may still be that of the close before: both have to be good.
bool is_left_by_close(const Inspection& found, Lsn end) {
  return found.root_verdict == RootVerdict::use && found.root.is_clean &&
         found.root.proven == ProvenPosition{found.data.back().header.number, end};
}

}  // namespace writeahead::internal
