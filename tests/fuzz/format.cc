// The parsers of the format on raw bytes.
//
// Goal: nothing outside of the bytes is read, nothing larger than they are is allocated, and what
// is decoded is the same once it was encoded again. Method: the first byte chooses the structure,
// whether its checksum is made to fit, and whether the bytes are what they are or the beginning of
// a block of zeros; bytes that are taken as they are lie in memory that ends where they end.
#include <algorithm>
#include <array>

#include "format/checksum.h"
#include "format/frame.h"
#include "format/record.h"
#include "format/root_slot.h"
#include "format/seal.h"
#include "format/segment_header.h"
#include "fuzz/allocation_watch.h"
#include "fuzz/defect.h"
#include "fuzz/forge.h"
#include "fuzz/fuzz_input.h"
#include "fuzz/targets.h"

namespace writeahead::testing {
namespace {

namespace format = ::writeahead::internal;

using FormatBlock = std::array<std::byte, kBlockBytes>;

constexpr Lsn kFormatLsn(4096);

const format::SegmentBinding& format_binding() {
  static const auto binding = format::SegmentBinding::of(Identifier{std::byte{1}, std::byte{2}}, 7);
  return binding;
}

/// Whether both structures begin with the same bytes.
bool begin_alike(FuzzBytes a, FuzzBytes b, size_t count) {
  return std::ranges::equal(a.first(count), b.first(count));
}

void parse_segment_header(FuzzBytes bytes) {
  const auto decoded = format::decode_segment_header(bytes);
  if (decoded.state != format::HeaderState::valid) return;
  FormatBlock encoded;
  format::encode_segment_header(decoded.header, encoded);
  const auto again = format::decode_segment_header(encoded);
  demand(again.state == format::HeaderState::valid, "an encoded segment header does not verify");
  constexpr size_t kFields = format::segment_field::link_end_ordinal.offset + sizeof(uint64_t);
  demand(begin_alike(bytes, encoded, kFields), "a segment header is encoded differently");
  FormatBlock twice;
  format::encode_segment_header(again.header, twice);
  demand(encoded == twice, "a segment header is decoded differently");
  static_cast<void>(format::continues(decoded.header, again.header));
}

void parse_root_slot(FuzzBytes bytes) {
  const auto decoded = format::decode_root_slot(bytes);
  if (decoded.state != format::HeaderState::valid) return;
  demand(decoded.root.holds.size() <= format::kMaxHolds, "a root slot has too many holds");
  FormatBlock encoded;
  format::encode_root_slot(decoded.root, decoded.sequence, encoded);
  const auto again = format::decode_root_slot(encoded);
  demand(again.state == format::HeaderState::valid, "an encoded root slot does not verify");
  demand(again.root.holds == decoded.root.holds && again.sequence == decoded.sequence,
         "a root slot is decoded differently");
  FormatBlock twice;
  format::encode_root_slot(again.root, again.sequence, twice);
  demand(encoded == twice, "a root slot is encoded differently");
}

/// Entry by entry, as a rebuilding of what producers did reads it.
void walk_table(const format::FrameHeader& header, FuzzBytes frame) {
  auto table = format::producer_table_of(header, frame);
  demand(table.size() % format::kProducerEntryBytes == 0, "a producer table is no whole entries");
  for (; !table.empty(); table = table.subspan(format::kProducerEntryBytes)) {
    const auto entry = format::decode_producer_entry(table);
    demand(entry.range.first_lsn < entry.range.end_lsn && entry.range.end_lsn <= header.lsn,
           "an entry of a producer table lies outside of what came before");
    std::array<std::byte, format::kProducerEntryBytes> encoded;
    format::encode_producer_entry(entry, encoded);
    demand(begin_alike(table, encoded, encoded.size()),
           "a producer's entry is encoded differently");
  }
}

void walk_frame(const format::FrameHeader& header, FuzzBytes frame) {
  uint32_t records = 0;
  uint64_t bytes = header.records_begin();
  format::FrameWalk walk(header, frame, format_binding());
  while (walk.next()) {
    const auto& record = walk.record();
    demand(walk.lsn() == header.lsn + bytes, "a record is not where the one before ended");
    const uint64_t mark = record.mark() ? format::kMarkBytes : 0;
    demand(mark + record.payload().size() == record.header.length,
           "a payload is not as long as stated");
    bytes += record.encoded_bytes;
    ++records;
    demand(bytes <= frame.size(), "a record ends behind its frame");
  }
  demand(records <= header.record_count, "a frame has more records than stated");
  if (!walk.is_whole()) return;
  walk_table(header, frame);
  demand(records == header.record_count, "a whole frame has fewer records than stated");
  format::FrameWalk skipping(header, frame, format_binding());
  while (skipping.skip()) --records;
  demand(records == 0 && skipping.is_whole(), "a frame that is skipped through is another");
}

void walk_seal(const format::FrameHeader& header, FuzzBytes frame) {
  const auto seal = format::decode_seal(header, frame);
  if (!seal) return;
  const auto encoded = format::encode_seal(*seal, header, format_binding());
  demand(encoded.size() == frame.size(), "a seal is encoded in other bytes");
  const auto body = frame.subspan(format::kFrameHeaderBytes);
  demand(begin_alike(body, FuzzBytes(encoded).subspan(format::kFrameHeaderBytes), body.size()),
         "a seal is encoded differently");
}

void parse_frame(FuzzBytes bytes) {
  const auto header = format::decode_frame_header(bytes, kFormatLsn, format_binding());
  if (!header) return;
  std::array<std::byte, format::kFrameHeaderBytes> encoded;
  format::encode_frame_header(*header, format_binding(), encoded);
  demand(begin_alike(bytes, encoded, format::frame_field::header_checksum.offset),
         "a frame header is encoded differently");
  // As its readers do: no more than there is.
  if (header->length > bytes.size()) return;
  const auto frame = bytes.first(header->length);
  header->kind == format::FrameKind::data ? walk_frame(*header, frame) : walk_seal(*header, frame);
}

void parse_record(FuzzBytes bytes) {
  const auto seed = format_binding().segment_seed;
  const auto record = format::verify_record(bytes, kFormatLsn, seed);
  demand(record.encoded_bytes <= bytes.size(), "a record is longer than its bytes");
  if (record.encoded_bytes == 0) return;
  std::array<std::byte, format::kRecordHeaderBytes> encoded;
  format::encode_record_header(record.header, encoded);
  demand(begin_alike(bytes, encoded, encoded.size()), "a record header is encoded differently");
  format::RecordHead head =
      format::encode_record_head(record.payload().size(), record.header.type, record.mark());
  format::record_field::checksum.store(head.bytes, record.header.checksum);
  demand(begin_alike(bytes, head.bytes, head.count), "a record's mark is encoded differently");
}

/// Makes a frame of the bytes that stands in its place and verifies, if it can.
void forge_frame_in_place(std::span<std::byte> bytes) {
  if (bytes.size() < format::kFrameHeaderBytes) return;
  format::frame_field::magic.store(bytes, format::kFrameMagic);
  format::frame_field::segment_number.store(bytes, format_binding().number);
  format::frame_field::lsn.store(bytes, kFormatLsn.value());
  forge_frame(bytes, format_binding());
}

void forge_record(std::span<std::byte> bytes) {
  if (bytes.size() < format::kRecordHeaderBytes) return;
  auto header = format::decode_record_header(bytes);
  const auto rest = bytes.subspan(format::kRecordHeaderBytes);
  const auto content = rest.first(std::min<size_t>(header.length, rest.size()));
  header.checksum = format::record_checksum(hash_of_content(header, content), kFormatLsn, header,
                                            format_binding().segment_seed);
  format::encode_record_header(header, bytes);
}

struct FormatStructure {
  void (*parse)(FuzzBytes bytes);
  void (*forge)(std::span<std::byte> bytes);
};

constexpr std::array<FormatStructure, 4> kStructures = {{
    {parse_frame, forge_frame_in_place},
    {parse_record, forge_record},
    {parse_segment_header, forge_segment_header},
    {parse_root_slot, forge_root_slot},
}};

}  // namespace

void fuzz_format(FuzzBytes bytes) {
  Input input(bytes);
  const AllocationWatch watch;
  const uint8_t what = input.byte();
  const FormatStructure& structure = kStructures[what % kStructures.size()];
  const bool is_in_a_block = (what & 4) != 0;
  const bool is_forged = (what & 8) != 0;
  if (!is_in_a_block) {
    structure.parse(input.rest());
  } else {
    FormatBlock block{};
    std::ranges::copy(input.take(block.size()), block.begin());
    if (is_forged) structure.forge(block);
    structure.parse(block);
  }
  watch.demand_bounded_by(bytes.size(), "parsing");
}

}  // namespace writeahead::testing
