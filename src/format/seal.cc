// Writing and reading a seal.
// A seal that does not verify in every part is no seal.
#include "format/seal.h"

#include "format/checksum.h"

namespace writeahead::internal {

std::vector<std::byte> encode_seal(const Seal& seal, FrameHeader header,
                                   const SegmentBinding& binding) {
  std::vector<std::byte> frame(seal_frame_bytes(seal.index.size()));
  const auto body = std::span(frame).subspan(kFrameHeaderBytes);
  seal_field::end_lsn.store(body, seal.end_lsn.value());
  seal_field::records.store(body, seal.records);
  seal_field::first_time_ns.store(body, seal.first_time_ns);
  seal_field::last_time_ns.store(body, seal.last_time_ns);
  seal_field::digest.store(body, seal.digest);
  seal_field::index_count.store(body, static_cast<uint32_t>(seal.index.size()));
  seal_field::reserved.store(body, 0);
  auto entry_bytes = body.subspan(kSealBodyBytes);
  for (const IndexEntry& entry : seal.index) {
    seal_index_field::lsn.store(entry_bytes, entry.lsn.value());
    seal_index_field::first_ordinal.store(entry_bytes, entry.first_ordinal);
    seal_index_field::time_ns.store(entry_bytes, entry.time_ns);
    entry_bytes = entry_bytes.subspan(kSealIndexEntryBytes);
  }
  header.kind = FrameKind::seal;
  header.length = frame.size();
  header.lsn = seal.end_lsn;
  header.watermark = seal.end_lsn;
  header.record_count = 0;
  header.body_checksum = checksum(body, 0);
  encode_frame_header(header, binding, frame);
  return frame;
}

std::optional<Seal> decode_seal(const FrameHeader& header, std::span<const std::byte> frame) {
  if (header.kind != FrameKind::seal || frame.size() < seal_frame_bytes(0)) return std::nullopt;
  const auto body = frame.subspan(kFrameHeaderBytes);
  if (!is_right_checksum(header.body_checksum, checksum(body, 0))) return std::nullopt;
  const uint32_t count = seal_field::index_count.load(body);
  if (frame.size() != seal_frame_bytes(count) || seal_field::reserved.load(body) != 0) {
    return std::nullopt;
  }
  Seal seal{.end_lsn = Lsn(seal_field::end_lsn.load(body)),
            .records = seal_field::records.load(body),
            .first_time_ns = seal_field::first_time_ns.load(body),
            .last_time_ns = seal_field::last_time_ns.load(body),
            .digest = seal_field::digest.load(body),
            .index = {}};
  if (seal.end_lsn != header.lsn) return std::nullopt;
  seal.index.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    const auto entry = body.subspan(kSealBodyBytes + i * kSealIndexEntryBytes);
    seal.index.push_back({.lsn = Lsn(seal_index_field::lsn.load(entry)),
                          .first_ordinal = seal_index_field::first_ordinal.load(entry),
                          .time_ns = seal_index_field::time_ns.load(entry)});
  }
  return seal;
}

}  // namespace writeahead::internal
