// Candidate: what the file of one segment turned out to be, by itself.
//
// The first step of an inspection behind the root. Whether the segments fit together is judged
// afterwards; nothing is written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "format/root_slot.h"
#include "recovery/decision.h"
#include "recovery/inspection.h"
#include "segment/segment_store.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead::internal {

struct Candidate {
  uint64_t number = 0;
  DataSegment segment;
  SegmentVerdict verdict = SegmentVerdict::standby;
  std::string_view label = {};
  Lsn base_lsn = {};   ///< What frames say, where the header does not.
  Lsn watermark = {};  ///< Of a first frame that lost its segment's header.
};

/// From so many segments on another thread is worth its while: it costs as much as some of them.
inline constexpr size_t kManySegments = 128;

/// Classifies a segment at or above the root's first by what the device holds.
[[nodiscard]] Result<Candidate> classify(SegmentStore& store, const RootState& root,
                                         uint64_t number);
/// The same for segments before that of the root's proven position, by their cached header blocks
/// if those are sound; many are shared with another thread, if the store allows it.
[[nodiscard]] Result<void> classify_proven(SegmentStore& store, const RootState& root,
                                           std::span<const uint64_t> numbers,
                                           std::span<Candidate> out);

/// Whether the last truncation began this segment, and it was not trimmed since.
[[nodiscard]] inline bool is_begun_by_truncation(const RootState& root, uint64_t number) {
  return number == root.truncation.number && number >= root.first.number;
}

}  // namespace writeahead::internal
