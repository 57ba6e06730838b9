// Memory for frames: how it grows, and what of it is zero.
// Nothing is written outside of the frame but by begin() and by who fills prefix and header block.
#include "segment/append_buffer.h"

#include <algorithm>

#include "env/posix_memory.h"

namespace writeahead::internal {
namespace {
constexpr size_t kSmallestBytes = 64ULL << 10;
constexpr uint64_t kKeptBytes = 8ULL << 20;  // a larger buffer is given back afterwards

/// From half a huge page on in whole ones.
AlignedBuffer allocate(uint64_t bytes) {
  if (bytes < kHugePageBytes / 2) return AlignedBuffer(bytes);
  AlignedBuffer memory(round_up(bytes, kHugePageBytes), kHugePageBytes);
  prefer_huge_pages(memory.span());
  return memory;
}

}  // namespace

void AppendBuffer::reserve(uint64_t bytes) {
  const uint64_t needed = 2 * kBlockBytes + round_up(bytes, kBlockBytes);
  if (memory_.size() >= needed) return;
  // Grows by doubling: a frame is reserved again for each append that joins it.
  memory_ = allocate(std::max({needed, 2 * memory_.size(), kSmallestBytes}));
  forget();
}

void AppendBuffer::begin(uint64_t segment, uint64_t offset, uint64_t bytes) {
  has_prefix_ = segment == segment_ && offset == offset_ + frame_bytes_ &&
                round_down(offset, kBlockBytes) == round_down(offset_, kBlockBytes);
  segment_ = segment;
  offset_ = offset;
  prefix_bytes_ = offset % kBlockBytes;
  frame_bytes_ = bytes;
  has_header_ = false;
  // Behind a frame that went less far in the same block it is zero already.
  const uint64_t end = kBlockBytes + prefix_bytes_ + bytes;
  const uint64_t padded_end = kBlockBytes + blocks().size();
  if (end < zero_begin_ || padded_end > zero_end_) {
    std::ranges::fill(memory_.span().first(padded_end).subspan(end), std::byte{0});
    zero_end_ = padded_end;
  }
  zero_begin_ = end;
}

void AppendBuffer::shrink() {
  if (memory_.size() <= kKeptBytes) return;
  memory_ = {};
  forget();
}

/// The memory is new: nothing is known of what it holds.
void AppendBuffer::forget() {
  zero_begin_ = zero_end_ = 0;
  segment_ = offset_ = frame_bytes_ = 0;
}

}  // namespace writeahead::internal
