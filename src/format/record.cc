// Writing and checking a record's header.
// No length is believed before it was compared with the bytes that are there.
#include "format/record.h"

#include "format/checksum.h"

namespace writeahead::internal {

uint64_t record_checksum(uint64_t payload_hash, Lsn lsn, const RecordHeader& header,
                         uint64_t segment_seed) {
  const std::array<uint64_t, 3> mixed = {
      payload_hash, lsn.value(),
      uint64_t{header.length} | uint64_t{header.type} << 32 | uint64_t{header.flags} << 48};
  return checksum(std::as_bytes(std::span(mixed)), segment_seed);
}

void encode_record_header(const RecordHeader& header, std::span<std::byte> out) {
  record_field::length.store(out, header.length);
  record_field::type.store(out, header.type);
  record_field::flags.store(out, header.flags);
  record_field::checksum.store(out, header.checksum);
}

RecordHeader decode_record_header(std::span<const std::byte> bytes) {
  return {.length = record_field::length.load(bytes),
          .type = record_field::type.load(bytes),
          .flags = record_field::flags.load(bytes),
          .checksum = record_field::checksum.load(bytes)};
}

VerifiedRecord verify_record(std::span<const std::byte> bytes, Lsn lsn, uint64_t segment_seed) {
  if (bytes.size() < kRecordHeaderBytes) return {};
  const RecordHeader header = decode_record_header(bytes);
  const uint64_t encoded = encoded_record_bytes(header.length);
  if (encoded > bytes.size() || header.flags != 0) return {};
  const auto payload = bytes.subspan(kRecordHeaderBytes, header.length);
  const auto padding = bytes.subspan(kRecordHeaderBytes + header.length,
                                     encoded - kRecordHeaderBytes - header.length);
  if (!is_zero(padding)) return {};
  const uint64_t computed = record_checksum(payload_hash(payload), lsn, header, segment_seed);
  if (!is_right_checksum(header.checksum, computed)) return {};
  return {.header = header, .payload = payload, .encoded_bytes = encoded};
}

}  // namespace writeahead::internal
