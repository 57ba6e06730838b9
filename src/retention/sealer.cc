// Finding segments without a seal, and writing it.
// A seal goes only where nothing will be appended any more.
#include "retention/sealer.h"

#include <utility>

#include "base/aligned_buffer.h"
#include "format/bytes.h"
#include "format/seal.h"
#include "format/segment_header.h"
#include "segment/closed_segment.h"

namespace writeahead::internal {
namespace {

/// A truncation's segment has none where its file was shared when an opening finished it, and the
/// log went on in the next file. A seal would be a frame without a header there.
bool has_header(SegmentStore& store, const SegmentHeader& header) {
  if (header.cause != SegmentCause::truncate) return true;
  AlignedBuffer block(kSegmentHeaderBytes);
  return store.read_head(header.number, block.span()) &&
         decode_segment_header(block.span()).state == HeaderState::valid;
}

}  // namespace

Result<bool> Sealer::step() {
  if (!std::exchange(has_examined_, true)) examine_predecessor();
  const auto due = table_.next_unsealed();
  if (!due) return false;
  return seal(*due);
}

/// A crash between a rotation and the seal leaves the segment before the last one without it. The
/// opening does not look, so that it need not read sealed data; this does, once.
void Sealer::examine_predecessor() {
  const auto segments = table_.all();
  // A successor without a frame proves nothing yet.
  if (segments.size() < 2 || segments.back().is_empty()) return;
  const SegmentView& segment = segments[segments.size() - 2];
  if (segment.is_verified || !segment.is_closed || segment.is_cut) return;
  auto reader = table_.reader(store_, segment.header.number);
  if (!reader) return;
  FrameSource source(*reader, segment.binding, segment.header.base_lsn, ReadSource::device);
  auto seal = read_seal(source, segment.end_lsn);
  if (!seal || *seal) return;
  auto checked = check_closed_segment(*reader, segment, ReadSource::device);
  // Damage is no business of the sealer's: who reads the segment will hear of it.
  if (!checked || checked->damage) return;
  table_.set_verified(segment.header.number, std::move(checked->contents), false);
}

/// False if there is no space for it now.
Result<bool> Sealer::seal(const SegmentView& segment) {
  const uint64_t number = segment.header.number;
  const uint64_t at = segment_offset(segment.header.base_lsn, segment.end_lsn);
  auto contents = table_.contents(number);
  auto writer = table_.writer(number);
  if (writer == nullptr) {
    auto opened = store_.open_for_append(number, at);
    if (!opened || !has_header(store_, segment.header)) {
      table_.set_sealed(number);  // Not asked for again by this opening; the next one looks anew.
      return true;
    }
    writer = std::move(*opened);
  }
  Seal seal{.end_lsn = segment.end_lsn,
            .records = segment.end_ordinal - segment.header.base_ordinal,
            .first_time_ns = contents->first_time_ns,
            .last_time_ns = contents->last_time_ns,
            .digest = contents->digest,
            .index = std::move(contents->index)};
  // The reserve holds it by construction; a segment of another making gets a seal without index.
  if (at + seal_frame_bytes(seal.index.size()) > segment.header.prepared_bytes) seal.index.clear();
  const bool has_room = at + seal_frame_bytes(0) <= segment.header.prepared_bytes;
  const bool is_apart = alignment_ == 0 || at % alignment_ == 0;
  if (has_room && is_apart && !writer->is_shared()) {
    FrameHeader header;
    header.epoch = epoch_;
    header.segment_number = number;
    header.time_ns = contents->last_time_ns;
    header.first_ordinal = segment.end_ordinal;
    const auto frame = encode_seal(seal, header, segment.binding);
    buffer_.reserve(frame.size());
    buffer_.begin(number, at, frame.size());
    copy_bytes(frame, buffer_.frame());
    // CRASH: a seal that tore does not verify and is as good as none; it is written again.
    writer->place(at, buffer_);
    auto written = writer->write(at, buffer_, WriteMode::barrier);
    // Nothing was changed by that: it is written when there is space, or by the next opening.
    if (!written && written.error().code() == ErrorCode::no_space) return false;
    if (!written) return std::unexpected(written.error());
    ++seals_written_;
  }
  table_.set_sealed(number);
  return true;
}

}  // namespace writeahead::internal
