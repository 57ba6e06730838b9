// AppendBuffer: the bytes of one frame on their way into a segment.
//
// The frame is assembled where it will be written from. In front of it the buffer keeps room for
// what belongs into the same write: the beginning of the block that the frame starts in, and the
// segment's header block. So a commit is one contiguous, block-aligned write without a copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/aligned_buffer.h"
#include "format/bytes.h"
#include "writeahead/env.h"

namespace writeahead::internal {

class AppendBuffer {
 public:
  /// Makes sure of the memory for a frame of `bytes` bytes at any offset. Only this call allocates;
  /// it throws std::bad_alloc and changes nothing then.
  void reserve(uint64_t bytes);
  /// Begins a frame of so many reserved bytes that will stand at `offset` of segment number
  /// `segment`. Where it goes on behind the last one, what was there of its first block stays.
  void begin(uint64_t segment, uint64_t offset, uint64_t bytes);
  /// Gives back what one large frame needed and most do not.
  void shrink();

  /// The frame; the caller fills it.
  [[nodiscard]] std::span<std::byte> frame() {
    return memory_.span().subspan(kBlockBytes + prefix_bytes_, frame_bytes_);
  }
  /// The segment's header block, to be written in front of the frame; its use marks it as there.
  [[nodiscard]] std::span<std::byte> header_block() {
    has_header_ = true;
    return memory_.span().first(kBlockBytes);
  }
  [[nodiscard]] bool has_header() const { return has_header_; }

  /// What stands before the frame in its first block; a store that writes blocks fills it, unless
  /// has_prefix().
  [[nodiscard]] std::span<std::byte> prefix() {
    return memory_.span().subspan(kBlockBytes, prefix_bytes_);
  }
  /// Whether it is there from the frame before, which ended where this one begins.
  [[nodiscard]] bool has_prefix() const { return has_prefix_; }
  /// Prefix, frame, and zeros up to a whole block.
  [[nodiscard]] std::span<std::byte> blocks() {
    return memory_.span().subspan(kBlockBytes, round_up(prefix_bytes_ + frame_bytes_, kBlockBytes));
  }
  /// The same without what stands before the frame in whole units of so many bytes.
  [[nodiscard]] std::span<std::byte> blocks_in(uint64_t unit) {
    return blocks().subspan(round_down(prefix_bytes_, unit));
  }
  /// All of blocks() with the header block in front.
  [[nodiscard]] std::span<std::byte> header_and_blocks() {
    return memory_.span().first(kBlockBytes + blocks().size());
  }

 private:
  void forget();

  AlignedBuffer memory_;
  // Between these memory_ is zero.
  uint64_t zero_begin_ = 0;
  uint64_t zero_end_ = 0;
  uint64_t segment_ = 0;
  uint64_t offset_ = 0;  // of the frame
  uint64_t prefix_bytes_ = 0;
  uint64_t frame_bytes_ = 0;
  bool has_prefix_ = false;
  bool has_header_ = false;
};

}  // namespace writeahead::internal
