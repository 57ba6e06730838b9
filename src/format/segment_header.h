// The header block of a segment: 4096 bytes, covered whole by one checksum.
//
// It is written once, together with the segment's first frame. Its number, log id, base and link
// tell a segment that is missing, renamed, copied, old or of another log from the one that belongs
// in the place.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "format/bytes.h"
#include "writeahead/env.h"
#include "writeahead/lsn.h"

namespace writeahead::internal {

// NOLINTBEGIN(readability-identifier-naming): the names are those of docs/format.md.
namespace segment_field {
inline constexpr Field<uint64_t> magic{0};
inline constexpr Field<uint32_t> version{8};
inline constexpr Field<uint32_t> cause{12};
inline constexpr BytesField<16> log_id{16};
inline constexpr Field<uint64_t> number{32};
inline constexpr Field<uint64_t> epoch{40};
inline constexpr Field<uint64_t> base_lsn{48};
inline constexpr Field<uint64_t> base_ordinal{56};
inline constexpr Field<uint64_t> prepared_bytes{64};
inline constexpr Field<uint64_t> created_ns{72};
inline constexpr Field<uint64_t> required_features{80};
inline constexpr Field<uint64_t> ignorable_features{88};
inline constexpr Field<uint64_t> link_number{96};
inline constexpr Field<uint64_t> link_end_lsn{104};
inline constexpr Field<uint64_t> link_digest{112};
inline constexpr Field<uint64_t> link_end_ordinal{120};
inline constexpr Field<uint64_t> checksum{4088};
}  // namespace segment_field
// NOLINTEND(readability-identifier-naming)

inline constexpr auto kSegmentFields = std::to_array<FieldDescription>({
    describe("magic", segment_field::magic),
    describe("version", segment_field::version),
    describe("cause", segment_field::cause),
    describe("log_id", segment_field::log_id),
    describe("number", segment_field::number),
    describe("epoch", segment_field::epoch),
    describe("base_lsn", segment_field::base_lsn),
    describe("base_ordinal", segment_field::base_ordinal),
    describe("prepared_bytes", segment_field::prepared_bytes),
    describe("created_ns", segment_field::created_ns),
    describe("required_features", segment_field::required_features),
    describe("ignorable_features", segment_field::ignorable_features),
    describe("link_number", segment_field::link_number),
    describe("link_end_lsn", segment_field::link_end_lsn),
    describe("link_digest", segment_field::link_digest),
    describe("link_end_ordinal", segment_field::link_end_ordinal),
    describe("checksum", segment_field::checksum),
});

inline constexpr uint64_t kSegmentMagic = 0x0a474553'4c4157d7;  // d7 "WALSEG" newline
inline constexpr uint32_t kFormatVersion = 1;
inline constexpr uint64_t kSegmentHeaderBytes = kBlockBytes;
/// Required feature bit: records may be numbered, and the first frame may have a producer table.
inline constexpr uint64_t kNumberedFeature = 1;
/// Required feature bits that this version understands.
inline constexpr uint64_t kKnownFeatures = kNumberedFeature;

/// Ignorable feature bit: the file held another segment before, and bytes of that one may stand
/// behind the frames. Without it all is zero there.
inline constexpr uint64_t kRecycledFeature = 1;

/// No number, epoch, ordinal or address of a real log comes near: what is above was forged, and is
/// refused before anything could overflow.
inline constexpr uint64_t kMaxCounter = 1ULL << 62;
/// The highest with which a log is opened for writing: no opening counts the rest up.
inline constexpr uint64_t kMaxCounterAtOpening = 3ULL << 60;

/// Why a segment was begun.
enum class SegmentCause : uint32_t { create = 1, rotate = 2, truncate = 3, salvage = 4 };

/// What a segment says of its predecessor.
struct SegmentLink {
  uint64_t number = 0;  ///< 0: there is none.
  Lsn end_lsn;
  uint64_t digest = 0;  ///< Running digest over the checksums of its records up to end_lsn.
  friend bool operator==(const SegmentLink&, const SegmentLink&) = default;
};

/// A segment's header as values.
struct SegmentHeader {
  SegmentCause cause = SegmentCause::create;
  Identifier log_id{};
  uint64_t number = 0;
  uint64_t epoch = 0;
  Lsn base_lsn;  ///< Of the byte behind the header block.
  uint64_t base_ordinal = 0;
  uint64_t prepared_bytes = 0;  ///< Capacity: header, frames and seal stay below it.
  uint64_t created_ns = 0;
  uint64_t required_features = 0;
  uint64_t ignorable_features = 0;
  SegmentLink link;
  /// Of cause salvage: the ordinal behind the last record of the segment before. Else 0.
  uint64_t link_end_ordinal = 0;

  /// Where the segment before ends. Behind that, what a salvage did not find may be left out.
  [[nodiscard]] Lsn predecessor_end_lsn() const {
    return cause == SegmentCause::salvage ? link.end_lsn : base_lsn;
  }
  [[nodiscard]] uint64_t predecessor_end_ordinal() const {
    return cause == SegmentCause::salvage ? link_end_ordinal : base_ordinal;
  }

  [[nodiscard]] bool is_numbered() const { return (required_features & kNumberedFeature) != 0; }
  [[nodiscard]] bool is_recycled() const { return (ignorable_features & kRecycledFeature) != 0; }
};

/// Whether `successor` continues `before`, as far as the headers tell.
[[nodiscard]] bool continues(const SegmentHeader& before, const SegmentHeader& successor);

/// What a header block turned out to be.
enum class HeaderState : uint8_t {
  zero,         ///< All zero: never used.
  valid,        ///< Verifies; whose it is has to be seen.
  unsupported,  ///< Verifies, and is of a version or needs a feature that is not known here.
  invalid,      ///< Anything else.
};

struct DecodedSegmentHeader {
  HeaderState state = HeaderState::invalid;
  SegmentHeader header;  ///< Set if valid.
};

/// `out` holds kSegmentHeaderBytes.
void encode_segment_header(const SegmentHeader& header, std::span<std::byte> out);
[[nodiscard]] DecodedSegmentHeader decode_segment_header(std::span<const std::byte> block);

}  // namespace writeahead::internal
