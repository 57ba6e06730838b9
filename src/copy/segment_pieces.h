// SegmentPieces: the frames of one segment of the source, verified, in large pieces.
//
// Only whole frames, so that what is written of a piece is whole, too; records are verified and not
// looked into. A segment that a truncation cut gives its last frame whole.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/aligned_buffer.h"
#include "segment/segment_scan.h"
#include "segment/segment_store.h"
#include "segment/segment_table.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// Bytes that are read at once, and the memory that this takes, unless a frame is larger.
inline constexpr uint64_t kPieceBytes = 8ULL << 20;

/// Some frames, one behind the other.
struct SegmentPiece {
  std::span<const std::byte> bytes;  ///< Valid until the next call; empty behind the last one.
  Lsn begin;
  bool is_cut = false;  ///< The last frame reaches beyond the end of the segment.
};

class SegmentPieces {
 public:
  /// Behind what `contents` holds, up to the end of `segment`.
  SegmentPieces(std::shared_ptr<SegmentReader> reader, const SegmentView& segment,
                SegmentContents contents);

  /// `corruption` where a frame does not verify. A frame that is cut comes by itself.
  [[nodiscard]] Result<SegmentPiece> next();
  /// With the last piece.
  [[nodiscard]] const SegmentContents& contents() const { return contents_; }

 private:
  [[nodiscard]] Result<bool> load(uint64_t bytes);
  [[nodiscard]] Error damage(ScanStop stop) const;

  const std::shared_ptr<SegmentReader> reader_;
  const SegmentView segment_;
  SegmentContents contents_;
  AlignedBuffer buffer_;
  uint64_t begin_ = 0;  // offset in the segment of what buffer_ holds
  uint64_t bytes_ = 0;  // how much that is
};

}  // namespace writeahead::internal
