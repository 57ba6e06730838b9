// Encoding one frame.
// The only place that gives records their checksums.
#include "commit/frame_builder.h"

#include <algorithm>

#include "base/check.h"
#include "format/checksum.h"
#include "format/record.h"

namespace writeahead::internal {
namespace {

/// Gives each record of `append` its checksum and takes them into the sums.
void finish_records(const PendingAppend& append, std::span<std::byte> records,
                    const SegmentBinding& binding, FrameHeader& frame, LogPosition& position) {
  uint64_t offset = 0;
  for (uint32_t i = 0; i < append.record_count(); ++i) {
    const auto bytes = records.subspan(offset);
    RecordHeader header = decode_record_header(bytes);
    header.checksum = record_checksum(append.payload_hash(i), append.range.first_lsn + offset,
                                      header, binding.segment_seed);
    record_field::checksum.store(bytes, header.checksum);
    frame.body_checksum = extend_body_checksum(frame.body_checksum, bytes);
    position.digest = extend_digest(position.digest, header.checksum);
    offset += encoded_record_bytes(header.length);
  }
  WRITEAHEAD_CHECK(offset == records.size());
}

}  // namespace

void build_frame(PendingFrame& pending, const FrameFacts& facts, const SegmentBinding& binding,
                 LogPosition& position) {
  // An address was given for a place behind these: another one would be a wrong write.
  WRITEAHEAD_CHECK(pending.lsn() == position.lsn && pending.first_ordinal() == position.ordinal);
  WRITEAHEAD_CHECK(facts.watermark <= pending.lsn());
  pending.buffer.begin(binding.number, pending.offset(), pending.length());
  const auto frame = pending.buffer.frame();
  FrameHeader header{.kind = FrameKind::data,
                     .length = frame.size(),
                     .epoch = facts.epoch,
                     .segment_number = binding.number,
                     .lsn = position.lsn,
                     .watermark = facts.watermark,
                     // Clocks jump; the log's time does not.
                     .time_ns = std::max(facts.time_ns, position.time_ns),
                     .first_ordinal = position.ordinal,
                     .record_count = static_cast<uint32_t>(pending.records())};
  uint64_t offset = kFrameHeaderBytes;
  for (PendingAppend* append = pending.first(); append != nullptr; append = append->next) {
    const auto records = frame.subspan(offset, append->encoded_bytes());
    append->copy_to(records);
    finish_records(*append, records, binding, header, position);
    offset += append->encoded_bytes();
  }
  WRITEAHEAD_CHECK(offset <= frame.size());
  std::ranges::fill(frame.subspan(offset), std::byte{0});
  encode_frame_header(header, binding, frame);
  position.lsn = pending.end_lsn();
  position.ordinal = pending.end_ordinal();
  position.time_ns = header.time_ns;
  pending.header = header;
  pending.digest = position.digest;
}

}  // namespace writeahead::internal
