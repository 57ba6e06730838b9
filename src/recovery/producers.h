// What producers appended last, read from the log: at opening, and before a truncation.
//
// The first frame of a numbered segment has the table of all that went before, and its records say
// the rest; other segments have nothing of producers. So one segment is read, and none of a log
// without numbers.
#pragma once

#include <span>

#include "format/segment_header.h"
#include "retention/producer_book.h"
#include "segment/frame_source.h"
#include "segment/segment_store.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// A segment up to where it is looked at, which may be inside of a frame.
struct Stretch {
  SegmentHeader header;
  Lsn end_lsn;
};

/// What is remembered of producers where the log begins at `first` and its numbered segments are
/// `stretches`, in their order. An append of which not all records lie below the end is none.
/// Codes: `corruption` of what was read, `io`. Writes nothing.
[[nodiscard]] Result<ProducerBook> read_producers(SegmentStore& store,
                                                  std::span<const Stretch> stretches, Lsn first);

/// Whether the frames of [begin, end) have anything of producers, where no header says so.
[[nodiscard]] Result<bool> has_numbers(FrameSource& frames, Lsn begin, Lsn end);

}  // namespace writeahead::internal
