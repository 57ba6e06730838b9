// FrameSource: the frames of one segment, one after the other, through a window of memory.
//
// It checks that a frame's header verifies and that the frame ends within bounds, so that no length
// is believed before its checksum was checked; records are verified by whoever walks the frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "base/aligned_buffer.h"
#include "format/frame.h"
#include "format/segment_header.h"
#include "segment/segment_store.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// Offset in its file of the byte at `lsn` of a segment with that base.
[[nodiscard]] constexpr uint64_t segment_offset(Lsn base_lsn, Lsn lsn) {
  return kSegmentHeaderBytes + (lsn - base_lsn);
}

/// Where the frames of a segment end at the latest. Its file may be longer.
[[nodiscard]] constexpr Lsn frames_end_of(const SegmentHeader& header) {
  return header.base_lsn + (header.prepared_bytes - kSegmentHeaderBytes);
}

/// A frame whose header verified. Its bytes stay in place until the next call, or as long as
/// somebody holds FrameSource::pin().
struct Frame {
  FrameHeader header;
  std::span<const std::byte> bytes;

  [[nodiscard]] Lsn end_lsn() const { return header.lsn + header.length; }
};

/// Not thread-safe.
class FrameSource {
 public:
  FrameSource(std::shared_ptr<SegmentReader> segment, const SegmentBinding& binding, Lsn base_lsn,
              ReadSource source)
      : segment_(std::move(segment)), binding_(binding), base_lsn_(base_lsn), source_(source) {}

  /// The frame at `lsn`, if a header verifies there and the frame ends at or below `limit`.
  /// Nothing at or above `limit` is read.
  [[nodiscard]] Result<std::optional<Frame>> at(Lsn lsn, Lsn limit);

  /// Has `pin` keep the bytes of the last frame in place. Costs a comparison if it does already.
  void pin(std::shared_ptr<const void>& pin) {
    if (is_shown_) {
      if (pin.get() != segment_.get()) pin = segment_;
      return;
    }
    is_pinned_ = true;
    if (pin.get() != window_.get()) pin = window_;
  }
  [[nodiscard]] const SegmentBinding& binding() const { return binding_; }
  [[nodiscard]] SegmentReader& segment() const { return *segment_; }

 private:
  [[nodiscard]] Result<std::span<const std::byte>> load(uint64_t offset, uint64_t bytes,
                                                        uint64_t limit);

  std::shared_ptr<SegmentReader> segment_;
  SegmentBinding binding_;
  Lsn base_lsn_;
  ReadSource source_;
  std::shared_ptr<AlignedBuffer> window_;
  bool is_shown_ = false;   // The last frame lies where the segment shows it.
  bool is_pinned_ = false;  // Somebody may look at the window, on any thread: it is not reused.
  uint64_t window_offset_ = 0;
  uint64_t window_bytes_ = 0;  // how much of it is filled
};

}  // namespace writeahead::internal
