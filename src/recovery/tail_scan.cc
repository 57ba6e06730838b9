// Reading the last segment in the fastest way that leaves the verdict to the device.
// Whatever the page cache shows that is not as it should be is read again past it.
#include "recovery/tail_scan.h"

#include <algorithm>
#include <utility>

#include "segment/frame_source.h"

namespace writeahead::internal {
namespace {

/// The root was written with that position when every barrier over what lies below it had
/// succeeded, so that no failed sync is left which could make the cache show what the device lacks.
/// The block of the position stays out of the cache: a writer may go on in it. As with header
/// blocks only good news is taken from there: if not all that is proven verifies, the device is
/// asked for all of it.
Result<ScanResult> scan_tail(const std::shared_ptr<SegmentReader>& segment,
                             const SegmentHeader& header, const TailScope& scope) {
  const auto binding = SegmentBinding::of(header.log_id, header.number);
  const ProvenPosition& proven = scope.proven;
  Lsn limit = std::min(scope.durable.value_or(Lsn(UINT64_MAX)), frames_end_of(header));
  if (scope.is_copying) limit = std::min(limit, proven.lsn);
  const bool is_inside =
      proven.number == header.number && proven.lsn > header.base_lsn && proven.lsn <= limit;
  if (scope.scrutiny == Scrutiny::what_is_not_proven && is_inside) {
    const uint64_t offset = segment_offset(header.base_lsn, proven.lsn);
    segment->allow_cache_below(round_down(offset, kBlockBytes));
    FrameSource source(segment, binding, header.base_lsn, ReadSource::any);
    auto scan = scan_frames(source, header, limit);
    if (!scan || scan->contents.end_lsn >= proven.lsn) return scan;
  }
  FrameSource source(segment, binding, header.base_lsn, ReadSource::device);
  return scan_frames(source, header, limit);
}

/// Whether a close left the log with this end, and nobody opened it for writing since: then nothing
/// was written behind it. An opening writes one of the slots of the root before anything else. If
/// that one went bad since, the other may still be that of the close before: both have to be good.
bool is_left_by_close(const TailScope& scope, uint64_t number, Lsn end) {
  return scope.is_closed && scope.proven == ProvenPosition{number, end};
}

}  // namespace

Result<TailReading> read_tail(SegmentStore& store, const SegmentHeader& header,
                              const TailScope& scope) {
  auto segment = store.open(header.number);
  if (!segment) return std::unexpected(segment.error());
  auto scan = scan_tail(*segment, header, scope);
  if (!scan) return std::unexpected(scan.error());
  TailReading reading{.segment = *segment, .scan = std::move(*scan), .evidence = {}};
  const SegmentContents& contents = reading.scan.contents;
  const bool is_known = scope.scrutiny == Scrutiny::what_is_not_proven &&
                        is_left_by_close(scope, header.number, contents.end_lsn);
  if (scope.durable || is_known) return reading;
  const auto binding = SegmentBinding::of(header.log_id, header.number);
  // A copy's file is new, whatever its header says of the file that it was written for.
  const bool is_recycled = header.is_recycled() && !scope.is_copying;
  auto evidence = find_evidence(**segment, binding, header.base_lsn, is_recycled, contents.end_lsn,
                                contents.last_epoch);
  if (!evidence) return std::unexpected(evidence.error());
  reading.evidence = *evidence;
  return reading;
}

}  // namespace writeahead::internal
