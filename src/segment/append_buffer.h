// AppendBuffer: the bytes of one frame on their way into a segment.
//
// The frame is assembled where it will be written from. In front of it the buffer keeps room for
// what belongs into the same write: the beginning of the block that the frame starts in, and the
// segment's header block. So a commit is one contiguous, block-aligned write without a copy.
#pragma once

#include <algorithm>
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
  void reserve(uint64_t bytes) {
    const uint64_t needed = 2 * kBlockBytes + round_up(bytes, kBlockBytes);
    if (memory_.size() >= needed) return;
    // Grows by doubling: a frame is reserved again for each append that joins it.
    memory_ = AlignedBuffer(std::max({needed, 2 * memory_.size(), kSmallestBytes}));
  }
  /// Begins a frame of so many reserved bytes that will stand at `offset` of its segment.
  void begin(uint64_t offset, uint64_t bytes) {
    prefix_bytes_ = offset % kBlockBytes;
    frame_bytes_ = bytes;
    has_header_ = false;
    const auto padded = blocks();
    std::ranges::fill(padded.subspan(prefix_bytes_ + bytes), std::byte{0});
  }
  /// Gives back what one large frame needed and most do not.
  void shrink() {
    if (memory_.size() > kKeptBytes) memory_ = {};
  }

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

  /// What stands before the frame in its first block; a store that writes blocks fills it.
  [[nodiscard]] std::span<std::byte> prefix() {
    return memory_.span().subspan(kBlockBytes, prefix_bytes_);
  }
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
  static constexpr size_t kSmallestBytes = 64ULL << 10;
  static constexpr uint64_t kKeptBytes = 8ULL << 20;  // a larger buffer is given back afterwards

  AlignedBuffer memory_;
  uint64_t prefix_bytes_ = 0;
  uint64_t frame_bytes_ = 0;
  bool has_header_ = false;
};

}  // namespace writeahead::internal
