// A record: 16 bytes of header, the payload, zeros up to a multiple of 8. One that a producer
// numbered has 16 bytes more before its payload.
//
// The checksum is the payload's hash mixed with the place and the rest of the header, so the
// expensive part needs no address and is done by the appender, outside of every lock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "format/bytes.h"
#include "writeahead/lsn.h"
#include "writeahead/producer_number.h"

namespace writeahead::internal {

// NOLINTBEGIN(readability-identifier-naming): the names are those of docs/format.md.
namespace record_field {
inline constexpr Field<uint32_t> length{0};
inline constexpr Field<uint16_t> type{4};
inline constexpr Field<uint16_t> flags{6};
inline constexpr Field<uint64_t> checksum{8};
}  // namespace record_field
namespace mark_field {
inline constexpr Field<uint64_t> producer{0};
inline constexpr Field<uint64_t> number{8};
}  // namespace mark_field
// NOLINTEND(readability-identifier-naming)

inline constexpr uint64_t kRecordHeaderBytes = 8 + sizeof(uint64_t);
inline constexpr uint64_t kRecordAlignment = 8;

inline constexpr auto kRecordFields = std::to_array<FieldDescription>({
    describe("length", record_field::length),
    describe("type", record_field::type),
    describe("flags", record_field::flags),
    describe("checksum", record_field::checksum),
});

inline constexpr uint64_t kMarkBytes = 8 + sizeof(uint64_t);
/// Flag of a record whose payload has the mark of its append in front, which counts in `length`.
inline constexpr uint16_t kNumberedFlag = 1;

inline constexpr auto kMarkFields = std::to_array<FieldDescription>({
    describe("producer", mark_field::producer),
    describe("number", mark_field::number),
});

/// The mark of a record that a producer numbered.
using Mark = std::optional<ProducerNumber>;

/// Bytes that a record with so many bytes behind its header takes in a frame.
[[nodiscard]] constexpr uint64_t encoded_record_bytes(uint64_t content_bytes) {
  return kRecordHeaderBytes + round_up(content_bytes, kRecordAlignment);
}
/// The same for a record with this payload and this mark.
[[nodiscard]] constexpr uint64_t encoded_record_bytes(uint64_t payload_bytes, const Mark& mark) {
  return encoded_record_bytes(payload_bytes + (mark ? kMarkBytes : 0));
}

/// A record's header as values.
struct RecordHeader {
  uint32_t length = 0;
  uint16_t type = 0;
  uint16_t flags = 0;
  uint64_t checksum = 0;
};

/// The payload hash of a record with a mark whose payload alone hashes to `payload_hash`.
[[nodiscard]] uint64_t marked_hash(uint64_t payload_hash, const ProducerNumber& mark);

/// The checksum of a record whose payload hashes to `payload_hash`, in the segment with that seed.
[[nodiscard]] uint64_t record_checksum(uint64_t payload_hash, Lsn lsn, const RecordHeader& header,
                                       uint64_t segment_seed);

void encode_record_header(const RecordHeader& header, std::span<std::byte> out);
[[nodiscard]] inline RecordHeader decode_record_header(std::span<const std::byte> bytes) {
  return {.length = record_field::length.load(bytes),
          .type = record_field::type.load(bytes),
          .flags = record_field::flags.load(bytes),
          .checksum = record_field::checksum.load(bytes)};
}

/// What stands before a payload: the header but for its checksum, and the mark, if there is one.
struct RecordHead {
  std::array<std::byte, kRecordHeaderBytes + kMarkBytes> bytes;
  uint32_t count = 0;
};
[[nodiscard]] RecordHead encode_record_head(uint64_t payload_bytes, uint16_t type,
                                            const Mark& mark);
/// Writes a whole record but for its checksum. `out` holds encoded_record_bytes().
void encode_record(std::span<const std::byte> payload, uint16_t type, const Mark& mark,
                   std::span<std::byte> out);

/// A record in memory.
struct VerifiedRecord {
  RecordHeader header;
  std::span<const std::byte>
      content;                 ///< Behind the header: the mark, if there is one, and payload.
  uint64_t encoded_bytes = 0;  ///< 0 if the record does not verify.

  [[nodiscard]] std::span<const std::byte> payload() const {
    return header.flags == 0 ? content : content.subspan(kMarkBytes);
  }
  [[nodiscard]] Mark mark() const;
  /// Of its payload and mark, as its checksum has it.
  [[nodiscard]] uint64_t payload_hash() const;
};
/// The mark that begins the content of a record with such a header, which verified.
[[nodiscard]] inline Mark decode_mark(const RecordHeader& header,
                                      std::span<const std::byte> content) {
  if (header.flags == 0) return std::nullopt;
  return ProducerNumber{.producer = mark_field::producer.load(content),
                        .number = mark_field::number.load(content)};
}
/// The record that begins `bytes`, which stand at `lsn` and may go on behind it. It does not verify
/// if it is longer than `bytes`, has an unknown flag or padding that is not zero, or if its
/// checksum differs.
[[nodiscard]] VerifiedRecord verify_record(std::span<const std::byte> bytes, Lsn lsn,
                                           uint64_t segment_seed);

/// Records of a frame that follow each other and all verify.
struct RecordRun {
  uint64_t end = 0;  ///< Behind the last one, from the beginning of the frame.
  uint32_t records = 0;
  uint64_t body_checksum = 0;  ///< Of the frame, up to here.
  uint64_t digest = 0;         ///< Of the segment, up to here, if it is wanted.
};
/// Gives the record at the end of `run` in `frame`, which stands at `lsn`, its checksum, and takes
/// it in. All but the checksum is there; its payload hashes to `payload_hash`.
void add_to_run(RecordRun& run, std::span<std::byte> frame, Lsn lsn, uint64_t segment_seed,
                uint64_t payload_hash);

/// How far to go on with a run.
struct RunLimit {
  uint32_t records = 0;
  uint64_t bytes = UINT64_MAX;  ///< No record begins so far behind the first, or farther.
};
enum class RunDigest : uint8_t { is_left_out, is_extended };
/// Goes on with `run` in `frame`, which stands at `lsn`: up to the limit, or to a record that does
/// not verify. One loop over many records: the processor works at the hashes of several at once.
void extend_run(RecordRun& run, std::span<const std::byte> frame, Lsn lsn, uint64_t segment_seed,
                const RunLimit& limit, RunDigest digest);

}  // namespace writeahead::internal
