// What the bytes say is believed as far as it lies within them.
#include "fuzz/forge.h"

#include <algorithm>

#include "format/checksum.h"
#include "format/record.h"
#include "format/root_slot.h"
#include "format/segment_header.h"

namespace writeahead::testing {

namespace format = ::writeahead::internal;

uint64_t hash_of_content(const format::RecordHeader& header, std::span<const std::byte> content) {
  if (header.flags != format::kNumberedFlag || content.size() < format::kMarkBytes) {
    return format::payload_hash(content);
  }
  return format::checksum(content.first(format::kMarkBytes),
                          format::payload_hash(content.subspan(format::kMarkBytes)));
}

void forge_segment_header(std::span<std::byte> block) {
  const auto covered = block.first(format::segment_field::checksum.offset);
  format::segment_field::checksum.store(block, format::checksum(covered, 0));
}

void forge_root_slot(std::span<std::byte> slot) {
  const auto covered = slot.first(format::root_field::checksum.offset);
  format::root_field::checksum.store(slot, format::checksum(covered, 0));
}

void forge_frame(std::span<std::byte> bytes, const format::SegmentBinding& binding) {
  if (bytes.size() < format::kFrameHeaderBytes) return;
  const uint64_t length = std::clamp<uint64_t>(format::frame_field::length.load(bytes),
                                               format::kFrameHeaderBytes, bytes.size());
  const auto frame = bytes.first(length);
  const Lsn lsn(format::frame_field::lsn.load(frame));
  // As many whole entries of a table as there is room for.
  const uint64_t most = std::min(frame.size() - format::kFrameHeaderBytes, format::kMostTableBytes);
  uint64_t table = std::min<uint64_t>(format::frame_field::table_bytes.load(frame), most);
  table -= table % format::kProducerEntryBytes;
  const auto kind = static_cast<format::FrameKind>(format::frame_field::kind.load(frame));
  if (kind != format::FrameKind::data) table = 0;
  format::frame_field::table_bytes.store(frame, static_cast<uint32_t>(table));
  uint64_t at = format::kFrameHeaderBytes + table;
  uint64_t body = 0;
  if (table != 0) body = format::checksum(frame.subspan(format::kFrameHeaderBytes, table), 0);
  for (uint32_t i = 0; i < format::frame_field::record_count.load(frame); ++i) {
    const auto record = frame.subspan(at);
    if (record.size() < format::kRecordHeaderBytes) break;
    format::RecordHeader header = format::decode_record_header(record);
    const uint64_t encoded = format::encoded_record_bytes(header.length);
    if (encoded > record.size()) break;
    const auto content = record.subspan(format::kRecordHeaderBytes, header.length);
    header.checksum = format::record_checksum(hash_of_content(header, content), lsn + at, header,
                                              binding.segment_seed);
    format::encode_record_header(header, record);
    body = format::extend_body_checksum(body, record);
    at += encoded;
  }
  if (kind == format::FrameKind::seal) {
    body = format::checksum(frame.subspan(format::kFrameHeaderBytes), 0);
  }
  format::frame_field::body_checksum.store(frame, body);
  const auto covered = frame.first(format::frame_field::header_checksum.offset);
  format::frame_field::header_checksum.store(frame, format::checksum(covered, binding.log_seed));
}

}  // namespace writeahead::testing
