// Sizes of segments: how much a segment may hold, and how much file that takes.
//
// A file is longer than its segment by what the seal may need, so that a seal never fails for want
// of room. Both directions of the computation stand here, side by side.
#pragma once

#include <algorithm>
#include <cstdint>

#include "format/bytes.h"
#include "format/producer_table.h"
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

/// Offset at which the frames of a segment with so many prepared bytes have to end: the last block
/// boundary behind which the seal of that many frames has room. 0 if there is none.
[[nodiscard]] constexpr uint64_t frames_end_limit(uint64_t prepared_bytes) {
  constexpr uint64_t kFixedBytes = kSegmentHeaderBytes + seal_reserve_bytes(0);
  if (prepared_bytes < kFixedBytes) return 0;
  // Each whole interval of frames takes its entry in the seal, too. The reserve must be that of the
  // frames and not of the whole file, which may have one entry more and would undo
  // prepared_bytes_for.
  const uint64_t room = prepared_bytes - kFixedBytes;
  constexpr uint64_t kIntervalAndEntry = kIndexInterval + kSealIndexEntryBytes;
  const uint64_t rest = std::min(room % kIntervalAndEntry, kIndexInterval - 1);
  const uint64_t frames = room / kIntervalAndEntry * kIndexInterval + rest;
  return round_down(kSegmentHeaderBytes + frames, kBlockBytes);
}

/// How many producers are remembered in a log with such segments: their table takes no more than a
/// quarter of what is there for frames.
[[nodiscard]] constexpr uint64_t most_producers_in(uint64_t segment_bytes) {
  return std::min((segment_bytes - kSegmentHeaderBytes) / 4 / kProducerEntryBytes, kMostProducers);
}

}  // namespace writeahead::internal
