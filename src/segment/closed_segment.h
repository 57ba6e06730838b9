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

}  // namespace writeahead::internal
