// Truncation: what it takes to end a log earlier, all of it made ready before anything is changed.
//
// A truncation is a rotation to a lower base. No old byte changes: the root names a new segment,
// its base, and what it is linked to, and by that everything behind the link is void.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "format/root_slot.h"
#include "segment/append_buffer.h"
#include "segment/segment_scan.h"
#include "segment/segment_store.h"
#include "segment/segment_table.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// A position at which a log can be cut.
struct CutPoint {
  Lsn lsn;
  uint64_t ordinal = 0;
  SegmentLink link;  ///< The segment below it, up to there; number 0 if it is the first position.
  std::optional<SegmentContents> kept;  ///< Of that segment, if it was read.
  std::vector<uint64_t> voided;         ///< Segments behind it.
};

/// Finds `lsn`, which lies at or above the log's first position and below its end. Nobody appends.
/// Codes: `not_found` if no record begins or ends there, `corruption` of the segment it lies in.
[[nodiscard]] Result<CutPoint> find_cut(SegmentStore& store, SegmentTable& table, Lsn lsn);

/// A truncation that is ready to be committed.
struct Truncation {
  RootState root;  ///< What commits it.
  SegmentHeader header;
  std::shared_ptr<SegmentWriter> standby;  ///< Becomes that segment.
  CutPoint cut;
  SegmentTable::Addition addition;
  AppendBuffer buffer;  ///< The header block, ready to be written.
};

/// Puts root, header and their bytes together. All memory that the rest takes is taken here.
[[nodiscard]] Truncation make_truncation(const RootState& before, CutPoint cut, uint64_t number,
                                         std::shared_ptr<SegmentWriter> standby,
                                         uint64_t created_ns);

/// Puts the header block of an empty segment into `buffer`, to be appended at its beginning.
void put_header(const SegmentHeader& header, AppendBuffer& buffer);

}  // namespace writeahead::internal
