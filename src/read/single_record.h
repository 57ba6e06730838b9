// Reading one record by its address, and nothing else of its segment.
// The caller says that a record begins there: how it knows is the caller's matter.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "format/record.h"
#include "segment/segment_store.h"
#include "segment/segment_table.h"
#include "writeahead/lsn.h"

namespace writeahead::internal {

/// A record that verified, and what keeps its bytes.
struct SingleRecord {
  VerifiedRecord record;
  std::shared_ptr<std::byte[]> memory;
};

/// The record at `lsn`, below the end of what is durable in `segment`. Nothing if it does not
/// verify or cannot be read: that is not judged here. Whether a record begins there the caller
/// knows. One read of what a small record has, two for a larger one.
[[nodiscard]] std::optional<SingleRecord> read_single_record(SegmentReader& reader,
                                                             const SegmentView& segment, Lsn lsn);

}  // namespace writeahead::internal
