// Look-ups through the sparse index of a seal: in a segment that nobody has read yet, without
// reading it whole.
//
// They answer with places only. Whoever reads there passes the check of the whole segment first,
// so that no record is handed out unchecked; and whatever is not as it should be here is not known,
// and left to that check to judge.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "segment/segment_store.h"
#include "segment/segment_table.h"
#include "writeahead/lsn.h"

namespace writeahead::internal {

/// A record, but for what it says.
struct RecordPlace {
  Lsn lsn;
  uint64_t ordinal = 0;
  uint64_t time_ns = 0;
};

/// What a seal's index leads to.
struct SealAnswer {
  bool is_known = false;  ///< Else there is no seal, or something does not fit together.
  std::optional<RecordPlace> record;  ///< Nothing if no record of the segment is meant.
};

/// The record with this number, which lies in the closed `segment`.
[[nodiscard]] SealAnswer find_ordinal_by_seal(const std::shared_ptr<SegmentReader>& reader,
                                              const SegmentView& segment, uint64_t ordinal);
/// The first record that begins at `lsn` or behind it, in the closed `segment`.
[[nodiscard]] SealAnswer find_lsn_by_seal(const std::shared_ptr<SegmentReader>& reader,
                                          const SegmentView& segment, Lsn lsn);
/// The first record of that time or later in the closed `segment`.
[[nodiscard]] SealAnswer find_time_by_seal(const std::shared_ptr<SegmentReader>& reader,
                                           const SegmentView& segment, uint64_t time_ns);

}  // namespace writeahead::internal
