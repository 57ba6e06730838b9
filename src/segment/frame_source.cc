// The window over a segment.
// It grows for a frame that is larger, never beyond the file.
#include "segment/frame_source.h"

#include <algorithm>

#include "format/bytes.h"

namespace writeahead::internal {
namespace {
constexpr uint64_t kLargestWindowBytes = 256ULL << 10;
// Each read of the device costs a wait, and nothing is read ahead meanwhile.
constexpr uint64_t kLargestDeviceWindowBytes = 1ULL << 20;

/// Whether anybody else has it. If not, all that other threads did with it is done.
bool is_held_elsewhere(const std::shared_ptr<AlignedBuffer>& window) {
  if (window.use_count() != 1) return true;
  // The count alone orders nothing; whoever gave it up did so by a release of it, which the release
  // of one more copy meets.
  auto copy = window;
  copy.reset();
  return false;
}
}  // namespace

Result<std::optional<Frame>> FrameSource::at(Lsn lsn, Lsn limit) {
  const uint64_t offset = segment_offset(base_lsn_, lsn);
  const uint64_t end = std::min(segment_offset(base_lsn_, limit), segment_->bytes());
  if (offset >= end || end - offset < kFrameHeaderBytes) return std::nullopt;
  auto bytes = load(offset, kFrameHeaderBytes, end);
  if (!bytes) return std::unexpected(bytes.error());
  const auto header = decode_frame_header(*bytes, lsn, binding_);
  if (!header || header->length > end - offset) return std::nullopt;
  bytes = load(offset, header->length, end);
  if (!bytes) return std::unexpected(bytes.error());
  return Frame{.header = *header, .bytes = bytes->first(header->length)};
}

Result<std::span<const std::byte>> FrameSource::load(uint64_t offset, uint64_t bytes,
                                                     uint64_t limit) {
  if (source_ == ReadSource::any) {
    auto shown = segment_->show(offset, bytes);
    is_shown_ = shown && !shown->empty();
    if (!shown || is_shown_) return shown;
  }
  if (offset < window_offset_ || offset + bytes > window_offset_ + window_bytes_) {
    // The first read asks for little, so that a point read of a small record stays one; each time
    // that it goes on from the window's end means reading on more likely.
    const bool is_device = source_ == ReadSource::device;
    const uint64_t largest = is_device ? kLargestDeviceWindowBytes : kLargestWindowBytes;
    const uint64_t wanted = std::clamp<uint64_t>(4 * window_bytes_, kBlockBytes, largest);
    // Whole blocks come from the device without a copy.
    const uint64_t begin = is_device ? round_down(offset, kBlockBytes) : offset;
    const uint64_t end = is_device ? round_up(offset + bytes, kBlockBytes) : offset + bytes;
    const uint64_t count = std::min(std::max(end - begin, wanted), limit - begin);
    is_pinned_ = is_pinned_ && is_held_elsewhere(window_);
    if (window_ == nullptr || is_pinned_ || window_->size() < count) {
      window_bytes_ = 0;
      is_pinned_ = false;
      window_ = std::make_shared<AlignedBuffer>(std::max(count, std::min(wanted, limit - begin)));
    }
    window_bytes_ = 0;
    auto read = segment_->read(begin, window_->span().first(count), source_);
    if (!read) return std::unexpected(read.error());
    window_offset_ = begin;
    window_bytes_ = count;
  }
  return window_->span().subspan(offset - window_offset_,
                                 window_bytes_ - (offset - window_offset_));
}

}  // namespace writeahead::internal
