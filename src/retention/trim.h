// Trim: which segments lie below a position, and where the log begins without them.
// Pure: it looks at views of segments and changes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "format/root_slot.h"
#include "segment/segment_table.h"
#include "writeahead/lsn.h"

namespace writeahead::internal {

/// What a trim takes away.
struct Trim {
  LogStart first;                 ///< Where the log begins afterwards.
  std::vector<uint64_t> dropped;  ///< Ascending; not empty.
};

/// Drops the closed segments that end at or below `limit`, from the front on. Nothing if there are
/// none. The last segment stays.
[[nodiscard]] std::optional<Trim> trim_closed(std::span<const SegmentView> segments, Lsn limit);

/// Drops all segments, of which there are some; the next one to be begun has number `next_number`.
[[nodiscard]] Trim trim_all(std::span<const SegmentView> segments, uint64_t next_number);

}  // namespace writeahead::internal
