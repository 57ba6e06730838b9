// Reading and verifying pieces of a segment.
// A length is believed once the header that states it has verified.
#include "copy/segment_pieces.h"

#include <algorithm>
#include <utility>

#include "format/bytes.h"

namespace writeahead::internal {

SegmentPieces::SegmentPieces(std::shared_ptr<SegmentReader> reader, const SegmentView& segment,
                             SegmentContents contents)
    : reader_(std::move(reader)), segment_(segment), contents_(std::move(contents)) {}

Error SegmentPieces::damage(ScanStop stop) const {
  return to_error({.path = reader_->path(),
                   .offset = segment_offset(segment_.header.base_lsn, contents_.end_lsn),
                   .lsn = contents_.end_lsn,
                   .what = std::string(describe(stop))},
                  "copy log");
}

/// From the end of what was taken on. Whole blocks, which come from the device without a copy.
/// False if the segment has not so many bytes.
Result<bool> SegmentPieces::load(uint64_t bytes) {
  const uint64_t offset = segment_offset(segment_.header.base_lsn, contents_.end_lsn);
  const uint64_t end =
      std::min(segment_offset(segment_.header.base_lsn, segment_.frames_end()), reader_->bytes());
  if (offset >= end || end - offset < bytes) return false;
  if (offset >= begin_ && offset + bytes <= begin_ + bytes_) return true;
  begin_ = round_down(offset, kBlockBytes);
  const uint64_t wanted = std::max(offset + bytes - begin_, kPieceBytes);
  if (buffer_.size() < std::min(wanted, end - begin_)) {
    buffer_ = AlignedBuffer(round_up(std::min(wanted, end - begin_), kBlockBytes));
  }
  bytes_ = 0;
  const uint64_t count = std::min<uint64_t>(buffer_.size(), end - begin_);
  auto read = reader_->read(begin_, buffer_.span().first(count), ReadSource::any);
  if (!read) return std::unexpected(read.error());
  bytes_ = count;
  return true;
}

Result<SegmentPiece> SegmentPieces::next() {
  const Lsn base = segment_.header.base_lsn;
  SegmentPiece piece{.bytes = {}, .begin = contents_.end_lsn};
  uint64_t taken = 0;
  while (contents_.end_lsn < segment_.end_lsn) {
    const uint64_t offset = segment_offset(base, contents_.end_lsn);
    // What lies in memory goes first: to read on would move it.
    const uint64_t there = taken == 0 ? kFrameHeaderBytes : begin_ + bytes_ - offset;
    if (there < kFrameHeaderBytes) break;
    auto loaded = load(kFrameHeaderBytes);
    if (!loaded) return std::unexpected(loaded.error());
    if (!*loaded) return std::unexpected(damage(ScanStop::no_frame));
    const auto header = decode_frame_header(buffer_.span().subspan(offset - begin_),
                                            contents_.end_lsn, segment_.binding);
    if (!header) return std::unexpected(damage(ScanStop::no_frame));
    if (taken != 0 && header->length > begin_ + bytes_ - offset) break;
    loaded = load(header->length);
    if (!loaded) return std::unexpected(loaded.error());
    if (!*loaded) return std::unexpected(damage(ScanStop::no_frame));
    const Frame frame{.header = *header,
                      .bytes = buffer_.span().subspan(offset - begin_, header->length)};
    const bool is_cut = frame.end_lsn() > segment_.end_lsn;
    if (is_cut && taken != 0) break;
    const auto part = accept_frame(frame, segment_.binding, contents_, segment_.end_lsn);
    if (!part) return std::unexpected(damage(part.error()));
    taken += header->length;
    piece.is_cut = is_cut;
  }
  piece.bytes = std::span<const std::byte>(buffer_.span())
                    .subspan(taken == 0 ? 0 : segment_offset(base, piece.begin) - begin_, taken);
  return piece;
}

}  // namespace writeahead::internal
