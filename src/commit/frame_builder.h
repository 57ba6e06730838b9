// Building a frame: assembles it from the appends that share it.
//
// Their places are known; here records get their checksums. The memory is there before, so that
// nothing can fail once an address was given.
#pragma once

#include <cstdint>

#include "commit/pending_frame.h"
#include "format/frame.h"
#include "format/segment_header.h"

namespace writeahead::internal {

/// Where the log stands: what the next frame continues.
struct LogPosition {
  Lsn lsn;
  uint64_t ordinal = 0;
  uint64_t digest = 0;   ///< Of the active segment up to lsn.
  uint64_t time_ns = 0;  ///< Of the frame before.
};

/// What a frame states beside its records.
struct FrameFacts {
  uint64_t epoch = 0;
  uint64_t time_ns = 0;
  Lsn watermark;  ///< What is durable now.
};

/// Fills the frame's buffer, header and digest. `position` moves behind it.
void build_frame(PendingFrame& frame, const FrameFacts& facts, const SegmentBinding& binding,
                 LogPosition& position);

}  // namespace writeahead::internal
