// Sizes of segments: how much a segment may hold, and how much file that takes.
//
// A file is longer than its segment by what the seal may need, so that a seal never fails for want
// of room. Both directions of the computation stand here, side by side.
#pragma once

#include <algorithm>
#include <cstdint>

#include "format/bytes.h"
#include "format/seal.h"
#include "format/segment_header.h"

namespace writeahead::internal {

/// Smallest Options::segment_bytes: a header and some room.
inline constexpr uint64_t kMinSegmentBytes = kSegmentHeaderBytes + 512;

/// Bytes to prepare for a segment whose header and frames take `segment_bytes`.
[[nodiscard]] constexpr uint64_t prepared_bytes_for(uint64_t segment_bytes) {
  const uint64_t data_end = round_up(segment_bytes, kBlockBytes);
  return round_up(data_end + seal_reserve_bytes(data_end - kSegmentHeaderBytes), kBlockBytes);
}

/// Offset at which the frames of a segment with so many prepared bytes have to end.
[[nodiscard]] constexpr uint64_t frames_end_limit(uint64_t prepared_bytes) {
  const uint64_t reserve = seal_reserve_bytes(prepared_bytes - kSegmentHeaderBytes);
  return reserve < prepared_bytes ? round_down(prepared_bytes - reserve, kBlockBytes) : 0;
}

}  // namespace writeahead::internal
