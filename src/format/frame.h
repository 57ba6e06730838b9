// A frame: what one group commit writes. A header with a checksum of its own, then records; in a
// segment's first frame a producer table may come before them.
//
// The header verifies alone and in its place, so that a frame whose body was torn still testifies
// through its watermark. The body checksum covers the record headers, which hold the payload
// hashes: one pass over each payload, and a frame is there whole or not at all.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "format/bytes.h"
#include "format/producer_table.h"
#include "format/record.h"
#include "writeahead/env.h"
#include "writeahead/lsn.h"

namespace writeahead::internal {

// NOLINTBEGIN(readability-identifier-naming): the names are those of docs/format.md.
namespace frame_field {
inline constexpr Field<uint32_t> magic{0};
inline constexpr Field<uint16_t> kind{4};
inline constexpr Field<uint16_t> flags{6};
inline constexpr Field<uint64_t> length{8};
inline constexpr Field<uint64_t> epoch{16};
inline constexpr Field<uint64_t> segment_number{24};
inline constexpr Field<uint64_t> lsn{32};
inline constexpr Field<uint64_t> watermark{40};
inline constexpr Field<uint64_t> time_ns{48};
inline constexpr Field<uint64_t> first_ordinal{56};
inline constexpr Field<uint32_t> record_count{64};
inline constexpr Field<uint32_t> table_bytes{68};
inline constexpr Field<uint64_t> body_checksum{72};
inline constexpr Field<uint64_t> header_checksum{80};
}  // namespace frame_field
// NOLINTEND(readability-identifier-naming)

inline constexpr uint64_t kFrameHeaderBytes = 80 + sizeof(uint64_t);
inline constexpr uint64_t kFrameAlignment = 8;
inline constexpr uint32_t kFrameMagic = 0x4d524657;  // "WFRM"

inline constexpr auto kFrameFields = std::to_array<FieldDescription>({
    describe("magic", frame_field::magic),
    describe("kind", frame_field::kind),
    describe("flags", frame_field::flags),
    describe("length", frame_field::length),
    describe("epoch", frame_field::epoch),
    describe("segment_number", frame_field::segment_number),
    describe("lsn", frame_field::lsn),
    describe("watermark", frame_field::watermark),
    describe("time_ns", frame_field::time_ns),
    describe("first_ordinal", frame_field::first_ordinal),
    describe("record_count", frame_field::record_count),
    describe("table_bytes", frame_field::table_bytes),
    describe("body_checksum", frame_field::body_checksum),
    describe("header_checksum", frame_field::header_checksum),
});

enum class FrameKind : uint16_t { data = 1, seal = 2 };

/// A frame's header as values.
struct FrameHeader {
  FrameKind kind = FrameKind::data;
  uint64_t length = 0;  ///< Of header, records and all padding.
  uint64_t epoch = 0;
  uint64_t segment_number = 0;
  Lsn lsn;        ///< Of the header's first byte. A seal's is the segment's end.
  Lsn watermark;  ///< The durable Lsn when the frame was issued: may be late, never too high.
  uint64_t time_ns = 0;
  uint64_t first_ordinal = 0;
  uint32_t record_count = 0;
  uint32_t table_bytes = 0;  ///< Of the producer table, whole entries.
  uint64_t body_checksum = 0;

  /// Where the first record begins, from the beginning of the frame.
  [[nodiscard]] uint64_t records_begin() const { return kFrameHeaderBytes + table_bytes; }
};

/// What binds checksums to one segment of one log.
struct SegmentBinding {
  uint64_t number = 0;
  uint64_t log_seed = 0;
  uint64_t segment_seed = 0;

  [[nodiscard]] static SegmentBinding of(const Identifier& log_id, uint64_t number);
};

/// Writes the header with its checksum. `out` holds kFrameHeaderBytes.
void encode_frame_header(const FrameHeader& header, const SegmentBinding& binding,
                         std::span<std::byte> out);

/// The frame header at the beginning of `bytes`, if one verifies there for this segment and for the
/// position `lsn`. O(1): the body is not read. Needs kFrameHeaderBytes; nothing with fewer.
[[nodiscard]] std::optional<FrameHeader> decode_frame_header(std::span<const std::byte> bytes,
                                                             Lsn lsn,
                                                             const SegmentBinding& binding);

/// The producer table of a frame; empty if it has none.
[[nodiscard]] inline std::span<const std::byte> producer_table_of(
    const FrameHeader& header, std::span<const std::byte> frame) {
  return frame.subspan(kFrameHeaderBytes, header.table_bytes);
}

/// A run without a record yet: from the first record of this frame on, behind its table.
[[nodiscard]] RecordRun begin_run(const FrameHeader& header, std::span<const std::byte> frame,
                                  uint64_t digest);

/// The body checksum after one more record header.
[[nodiscard]] uint64_t extend_body_checksum(uint64_t checksum,
                                            std::span<const std::byte> record_header);

/// What is known of a frame before it is walked.
enum class FrameTrust : uint8_t {
  none,         ///< Its header verifies; each record is verified before it is shown.
  is_verified,  ///< All of it was verified where it lies: only lengths are looked at again.
};

/// Walks the records of one frame, verifying each.
///
///     for (FrameWalk walk(header, frame, binding); walk.next();) use(walk.record());
///
/// Records are verified some ahead of those that are shown, the more the longer the walk is: a
/// point read of one verifies one. What does not verify ends the walk when it is reached.
class FrameWalk {
 public:
  /// `frame` is the whole frame, header first.
  FrameWalk(const FrameHeader& header, std::span<const std::byte> frame,
            const SegmentBinding& binding, FrameTrust trust = FrameTrust::none);

  /// Moves to the next record. False behind the last one, and at one that does not verify.
  [[nodiscard]] bool next() { return next_ahead() || (verify_ahead() && next_ahead()); }
  /// The same, but only to one that was verified already; else false, and nothing is changed.
  [[nodiscard]] bool next_ahead() {
    if (ahead_ == 0) return false;
    // A length that verified is looked at again, so that no damage to memory leads outside.
    const uint64_t position = position_ + record_.encoded_bytes;
    const auto bytes = frame_.subspan(position);
    if (bytes.size() < kRecordHeaderBytes) return false;
    const RecordHeader header = decode_record_header(bytes);
    const uint64_t encoded = encoded_record_bytes(header.length);
    if (encoded > bytes.size()) return false;
    if (header.flags != 0 && header.length < kMarkBytes) return false;
    position_ = position;
    record_ = {.header = header,
               .content = bytes.subspan(kRecordHeaderBytes, header.length),
               .encoded_bytes = encoded};
    --ahead_;
    return true;
  }
  /// The same without a look at the payload: only what says where the next record begins.
  [[nodiscard]] bool skip();
  [[nodiscard]] const VerifiedRecord& record() const { return record_; }
  [[nodiscard]] Lsn lsn() const { return header_.lsn + position_; }
  /// Behind the current record.
  [[nodiscard]] Lsn end_lsn() const { return header_.lsn + position_ + record_.encoded_bytes; }
  /// After next() or skip() returned false: whether all records, the padding and the body checksum
  /// verified.
  [[nodiscard]] bool is_whole() const { return is_whole_; }

 private:
  [[nodiscard]] bool verify_ahead();
  [[nodiscard]] bool take();

  const FrameHeader& header_;
  std::span<const std::byte> frame_;
  const SegmentBinding& binding_;
  const FrameTrust trust_;
  VerifiedRecord record_;
  uint64_t position_;
  uint32_t ahead_ = 0;  // records behind the current one that verified
  RecordRun run_;       // to the end of those
  uint32_t next_run_ = 1;
  bool is_whole_ = false;
};

/// The records of a frame, all of them, verified in one go.
struct VerifiedFrame {
  RecordRun run;          ///< Up to the first record that does not verify.
  bool is_whole = false;  ///< There is none, and padding and body checksum verify, too.
};
/// `digest` is the segment's before the frame.
[[nodiscard]] VerifiedFrame verify_frame(const FrameHeader& header,
                                         std::span<const std::byte> frame,
                                         const SegmentBinding& binding, uint64_t digest);

}  // namespace writeahead::internal
