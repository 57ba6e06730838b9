// Writing and reading a segment's header block. Magic, version and checksum keep their places in
// every version, so that a newer format is told apart from damage.
#include "format/segment_header.h"

#include <algorithm>

#include "format/bytes.h"
#include "format/checksum.h"

namespace writeahead::internal {

void encode_segment_header(const SegmentHeader& header, std::span<std::byte> out) {
  std::ranges::fill(out.first(kSegmentHeaderBytes), std::byte{0});
  segment_field::magic.store(out, kSegmentMagic);
  segment_field::version.store(out, kFormatVersion);
  segment_field::cause.store(out, static_cast<uint32_t>(header.cause));
  copy_bytes(header.log_id, out.subspan(segment_field::log_id.offset));
  segment_field::number.store(out, header.number);
  segment_field::epoch.store(out, header.epoch);
  segment_field::base_lsn.store(out, header.base_lsn.value());
  segment_field::base_ordinal.store(out, header.base_ordinal);
  segment_field::prepared_bytes.store(out, header.prepared_bytes);
  segment_field::created_ns.store(out, header.created_ns);
  segment_field::required_features.store(out, header.required_features);
  segment_field::ignorable_features.store(out, header.ignorable_features);
  segment_field::link_number.store(out, header.link.number);
  segment_field::link_end_lsn.store(out, header.link.end_lsn.value());
  segment_field::link_digest.store(out, header.link.digest);
  segment_field::link_end_ordinal.store(out, header.link_end_ordinal);
  segment_field::checksum.store(out, checksum(out.first(segment_field::checksum.offset), 0));
}

DecodedSegmentHeader decode_segment_header(std::span<const std::byte> block) {
  if (block.size() < kSegmentHeaderBytes) return {};
  block = block.first(kSegmentHeaderBytes);
  if (is_zero(block)) return {.state = HeaderState::zero, .header = {}};
  if (segment_field::magic.load(block) != kSegmentMagic ||
      !is_right_checksum(segment_field::checksum.load(block),
                         checksum(block.first(segment_field::checksum.offset), 0))) {
    return {};
  }
  if (segment_field::version.load(block) != kFormatVersion ||
      (segment_field::required_features.load(block) & ~kKnownFeatures) != 0) {
    return {.state = HeaderState::unsupported, .header = {}};
  }
  SegmentHeader header{
      .cause = static_cast<SegmentCause>(segment_field::cause.load(block)),
      .log_id = {},
      .number = segment_field::number.load(block),
      .epoch = segment_field::epoch.load(block),
      .base_lsn = Lsn(segment_field::base_lsn.load(block)),
      .base_ordinal = segment_field::base_ordinal.load(block),
      .prepared_bytes = segment_field::prepared_bytes.load(block),
      .created_ns = segment_field::created_ns.load(block),
      .required_features = segment_field::required_features.load(block),
      .ignorable_features = segment_field::ignorable_features.load(block),
      .link = {.number = segment_field::link_number.load(block),
               .end_lsn = Lsn(segment_field::link_end_lsn.load(block)),
               .digest = segment_field::link_digest.load(block)},
      .link_end_ordinal = segment_field::link_end_ordinal.load(block),
  };
  const auto id = block.subspan(segment_field::log_id.offset, header.log_id.size());
  copy_bytes(id, header.log_id);
  const bool is_known_cause =
      header.cause >= SegmentCause::create && header.cause <= SegmentCause::salvage;
  // A forged value must neither overflow addresses nor undercut the header itself.
  const bool is_sound =
      header.number != 0 && header.number <= kMaxCounter && header.epoch <= kMaxCounter &&
      header.base_ordinal <= kMaxCounter && header.prepared_bytes > kSegmentHeaderBytes &&
      header.prepared_bytes <= kMaxCounter && header.base_lsn.value() <= kMaxCounter;
  if (!is_known_cause || !is_sound) return {};
  return {.state = HeaderState::valid, .header = header};
}

bool continues(const SegmentHeader& before, const SegmentHeader& successor) {
  return (successor.number == before.number + 1 || successor.cause == SegmentCause::truncate) &&
         successor.link.number == before.number &&
         successor.link.end_lsn == successor.predecessor_end_lsn() &&
         successor.link.end_lsn >= before.base_lsn &&
         successor.link.end_lsn <= successor.base_lsn &&
         successor.predecessor_end_ordinal() >= before.base_ordinal &&
         successor.predecessor_end_ordinal() <= successor.base_ordinal;
}

}  // namespace writeahead::internal
