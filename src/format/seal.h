// The seal: a frame behind the last record of a segment that will get no more.
//
// It takes no Lsns and holds nothing that could not be found by reading the segment, so a seal that
// does not verify is simply absent. It spares later openings the reading.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "format/bytes.h"
#include "format/frame.h"
#include "writeahead/lsn.h"

namespace writeahead::internal {

/// Offsets behind the frame header.
// NOLINTBEGIN(readability-identifier-naming): the names are those of docs/format.md.
namespace seal_field {
inline constexpr Field<uint64_t> end_lsn{0};
inline constexpr Field<uint64_t> records{8};
inline constexpr Field<uint64_t> first_time_ns{16};
inline constexpr Field<uint64_t> last_time_ns{24};
inline constexpr Field<uint64_t> digest{32};
inline constexpr Field<uint32_t> index_count{40};
inline constexpr Field<uint32_t> reserved{44};
}  // namespace seal_field
// NOLINTEND(readability-identifier-naming)

/// Offsets in one entry of the sparse index.
// NOLINTBEGIN(readability-identifier-naming): the names are those of docs/format.md.
namespace seal_index_field {
inline constexpr Field<uint64_t> lsn{0};
inline constexpr Field<uint64_t> first_ordinal{8};
inline constexpr Field<uint64_t> time_ns{16};
}  // namespace seal_index_field
// NOLINTEND(readability-identifier-naming)

inline constexpr uint64_t kSealBodyBytes = 48;
inline constexpr uint64_t kSealIndexEntryBytes = 24;

inline constexpr auto kSealFields = std::to_array<FieldDescription>({
    describe("end_lsn", seal_field::end_lsn),
    describe("records", seal_field::records),
    describe("first_time_ns", seal_field::first_time_ns),
    describe("last_time_ns", seal_field::last_time_ns),
    describe("digest", seal_field::digest),
    describe("index_count", seal_field::index_count),
    describe("reserved", seal_field::reserved),
});
inline constexpr auto kSealIndexFields = std::to_array<FieldDescription>({
    describe("lsn", seal_index_field::lsn),
    describe("first_ordinal", seal_index_field::first_ordinal),
    describe("time_ns", seal_index_field::time_ns),
});

/// One frame in a sparse index.
struct IndexEntry {
  Lsn lsn;  ///< Of the frame's header.
  uint64_t first_ordinal = 0;
  uint64_t time_ns = 0;
  friend bool operator==(const IndexEntry&, const IndexEntry&) = default;
};

/// At most one entry for so many bytes of frames.
inline constexpr uint64_t kIndexInterval = 64ULL << 10;

/// A seal as values.
struct Seal {
  Lsn end_lsn;
  uint64_t records = 0;
  uint64_t first_time_ns = 0;
  uint64_t last_time_ns = 0;
  uint64_t digest = 0;
  std::vector<IndexEntry> index;
};

/// Bytes of a seal frame with so many index entries.
[[nodiscard]] constexpr uint64_t seal_frame_bytes(uint64_t index_entries) {
  return kFrameHeaderBytes + kSealBodyBytes + index_entries * kSealIndexEntryBytes;
}

/// Bytes to reserve for the seal of a segment with `frame_bytes` of frames: its index has an entry
/// for the first frame and then at most one an interval.
[[nodiscard]] constexpr uint64_t seal_reserve_bytes(uint64_t frame_bytes) {
  return seal_frame_bytes(1 + frame_bytes / kIndexInterval);
}

/// The whole seal frame. `header` gives epoch, number and next ordinal; the rest is filled in.
[[nodiscard]] std::vector<std::byte> encode_seal(const Seal& seal, FrameHeader header,
                                                 const SegmentBinding& binding);

/// The seal that `header` (kind seal, verified) begins, if the body in `frame` verifies, too.
[[nodiscard]] std::optional<Seal> decode_seal(const FrameHeader& header,
                                              std::span<const std::byte> frame);

}  // namespace writeahead::internal
