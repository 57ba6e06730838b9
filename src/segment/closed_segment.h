// The check of a closed segment: what it holds against what its successor was linked to.
//
// Every reader of a closed segment passes here once; verify and the sealer come here, too. A frame
// that is missing, swapped or old shows in the end, the ordinals or the digest.
#pragma once

#include <memory>
#include <optional>

#include "segment/segment_scan.h"
#include "segment/segment_store.h"
#include "segment/segment_table.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// A closed segment that was read whole and compared with what its successor says.
struct CheckedSegment {
  SegmentContents contents;  ///< Up to the damage, if there is some.
  bool is_sealed = false;
  std::optional<Damage> damage;
};
[[nodiscard]] Result<CheckedSegment> check_closed_segment(
    const std::shared_ptr<SegmentReader>& reader, const SegmentView& segment, ReadSource source);

/// Whether the device holds this header: it may have been seen in a cache, or the segment may have
/// been recycled since.
[[nodiscard]] Result<bool> has_header(SegmentReader& segment, const SegmentHeader& header);
/// Lets a closed segment that was just opened be read through the cache. Nobody recycles it while
/// it is open; but until its header was seen it may be another one by now, to which its writer
/// writes: then no page of it must be touched, and the answer is `corruption`. The page of the end
/// belongs to a writer, too: to that of the seal.
[[nodiscard]] Result<void> allow_cache(SegmentReader& segment, const SegmentView& view);

}  // namespace writeahead::internal
