// Whether a destination is a beginning of the source.
//
// Segment headers hold number, addresses and the digest of the segment before each; so equal
// headers and equal bytes of the last segment say that all before it was the same, too.
#pragma once

#include <cstdint>
#include <string>

#include "copy/copied_log.h"
#include "copy/copy_source.h"
#include "segment/segment_store.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// Refuses a source that the store at `path` cannot hold: `invalid_argument`, `too_large`.
[[nodiscard]] Result<void> refuse_unfit(const CopySource& source, const std::string& path);
/// The same for one more segment, `first` of them all or not.
[[nodiscard]] Result<void> refuse_unfit(const SegmentHeader& header, bool is_first,
                                        const std::string& path);

/// Refuses a destination that is none of the source, by what headers and ends say, or that cannot
/// be gone on with. Codes as copy_log().
[[nodiscard]] Result<void> refuse_other(const CopySource& source, const CopiedPart& part,
                                        const std::string& path);

/// Compares a segment of the destination with the source's, up to `end`; returns how many bytes
/// that are. `invalid_argument` where they differ.
[[nodiscard]] Result<uint64_t> compare_segment(const CopySource& source, const SegmentView& segment,
                                               SegmentStore& copy, Lsn end);

}  // namespace writeahead::internal
