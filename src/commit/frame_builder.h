// Building a frame: assembles it from the appends that share it.
//
// Here records get their Lsns and ordinals. The sizes are known before, so that the only thing that
// can fail, the memory, fails before any address was given.
#pragma once

#include <cstdint>
#include <span>

#include "commit/pending_append.h"
#include "format/frame.h"
#include "format/segment_header.h"
#include "segment/append_buffer.h"

namespace writeahead::internal {

/// Where the log stands: what the next frame continues.
struct LogPosition {
  Lsn lsn;
  uint64_t ordinal = 0;
  uint64_t digest = 0;   ///< Of the active segment up to lsn.
  uint64_t time_ns = 0;  ///< Of the frame before.
};

/// Bytes of a frame with such a body.
[[nodiscard]] constexpr uint64_t frame_bytes(uint64_t body_bytes) {
  return kFrameHeaderBytes + body_bytes;
}

/// Fills `frame`, which holds all appends from `first` on (linked by next) behind its header, sets
/// their answers, and returns the header. `position` moves behind the frame.
FrameHeader build_frame(std::span<std::byte> frame, PendingAppend* first, uint64_t epoch,
                        uint64_t time_ns, const SegmentBinding& binding, LogPosition& position);

}  // namespace writeahead::internal
