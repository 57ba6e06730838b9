// Encoding one frame.
// The only place that gives records their Lsns, ordinals and checksums.
#include "commit/frame_builder.h"

#include <algorithm>

#include "base/check.h"
#include "format/checksum.h"
#include "format/record.h"

namespace writeahead::internal {
namespace {

/// Gives each record of `append` its checksum and takes them into the sums.
void finish_records(const PendingAppend& append, std::span<std::byte> records, Lsn lsn,
                    const SegmentBinding& binding, FrameHeader& frame, LogPosition& position) {
  uint64_t offset = 0;
  for (uint32_t i = 0; i < append.record_count(); ++i) {
    const auto bytes = records.subspan(offset);
    RecordHeader header = decode_record_header(bytes);
    header.checksum =
        record_checksum(append.payload_hash(i), lsn + offset, header, binding.segment_seed);
    record_field::checksum.store(bytes, header.checksum);
    frame.body_checksum = extend_body_checksum(frame.body_checksum, bytes);
    position.digest = extend_digest(position.digest, header.checksum);
    offset += encoded_record_bytes(header.length);
  }
  WRITEAHEAD_CHECK(offset == records.size());
}

}  // namespace

FrameHeader build_frame(std::span<std::byte> frame, PendingAppend* first, uint64_t epoch,
                        uint64_t time_ns, const SegmentBinding& binding, LogPosition& position) {
  FrameHeader header{.kind = FrameKind::data,
                     .length = frame.size(),
                     .epoch = epoch,
                     .segment_number = binding.number,
                     .lsn = position.lsn,
                     // One frame is in flight at a time, so all that came before it is durable.
                     .watermark = position.lsn,
                     // Clocks jump; the log's time does not.
                     .time_ns = std::max(time_ns, position.time_ns),
                     .first_ordinal = position.ordinal};
  uint64_t offset = kFrameHeaderBytes;
  for (PendingAppend* append = first; append != nullptr; append = append->next) {
    const auto records = frame.subspan(offset, append->encoded_bytes());
    const Lsn lsn = position.lsn + offset;
    append->copy_to(records);
    finish_records(*append, records, lsn, binding, header, position);
    append->range = {.first_lsn = lsn,
                     .end_lsn = lsn + append->encoded_bytes(),
                     .first_ordinal = position.ordinal + header.record_count};
    header.record_count += append->record_count();
    offset += append->encoded_bytes();
  }
  WRITEAHEAD_CHECK(offset == frame.size());
  encode_frame_header(header, binding, frame);
  position.lsn = position.lsn + header.length;
  position.ordinal += header.record_count;
  position.time_ns = header.time_ns;
  return header;
}

}  // namespace writeahead::internal
