// A slot of the root: 4096 bytes, covered whole by one checksum. The root file holds two of them.
//
// It carries what the segments cannot say of themselves: which log this is, the epoch of the newest
// opening, where the log begins, and up to where it is proven to be durable.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "format/bytes.h"
#include "format/segment_header.h"
#include "writeahead/env.h"
#include "writeahead/lsn.h"

namespace writeahead::internal {

// NOLINTBEGIN(readability-identifier-naming): the names are those of docs/format.md.
namespace root_field {
inline constexpr Field<uint64_t> magic{0};
inline constexpr Field<uint32_t> version{8};
inline constexpr Field<uint32_t> flags{12};
inline constexpr Field<uint64_t> sequence{16};
inline constexpr BytesField<16> log_id{24};
inline constexpr Field<uint64_t> epoch{40};
inline constexpr Field<uint64_t> first_number{48};
inline constexpr Field<uint64_t> first_lsn{56};
inline constexpr Field<uint64_t> first_ordinal{64};
inline constexpr Field<uint64_t> proven_number{72};
inline constexpr Field<uint64_t> proven_lsn{80};
inline constexpr Field<uint64_t> truncation_count{88};
inline constexpr Field<uint64_t> truncation_number{96};
inline constexpr Field<uint64_t> truncation_base_lsn{104};
inline constexpr Field<uint64_t> truncation_ordinal{112};
inline constexpr Field<uint64_t> truncation_link_number{120};
inline constexpr Field<uint64_t> truncation_link_end_lsn{128};
inline constexpr Field<uint64_t> truncation_link_digest{136};
inline constexpr Field<uint64_t> required_features{144};
inline constexpr Field<uint64_t> ignorable_features{152};
inline constexpr Field<uint32_t> hold_count{160};
inline constexpr Field<uint32_t> reserved{164};
inline constexpr BytesField<3072> holds{192};
inline constexpr Field<uint64_t> checksum{4088};
}  // namespace root_field
// NOLINTEND(readability-identifier-naming)

/// Offsets in one hold.
// NOLINTBEGIN(readability-identifier-naming): the names are those of docs/format.md.
namespace hold_field {
inline constexpr Field<uint64_t> lsn{0};
inline constexpr Field<uint8_t> name_bytes{8};
inline constexpr BytesField<55> name{9};
}  // namespace hold_field
// NOLINTEND(readability-identifier-naming)

inline constexpr auto kRootFields = std::to_array<FieldDescription>({
    describe("magic", root_field::magic),
    describe("version", root_field::version),
    describe("flags", root_field::flags),
    describe("sequence", root_field::sequence),
    describe("log_id", root_field::log_id),
    describe("epoch", root_field::epoch),
    describe("first_number", root_field::first_number),
    describe("first_lsn", root_field::first_lsn),
    describe("first_ordinal", root_field::first_ordinal),
    describe("proven_number", root_field::proven_number),
    describe("proven_lsn", root_field::proven_lsn),
    describe("truncation_count", root_field::truncation_count),
    describe("truncation_number", root_field::truncation_number),
    describe("truncation_base_lsn", root_field::truncation_base_lsn),
    describe("truncation_ordinal", root_field::truncation_ordinal),
    describe("truncation_link_number", root_field::truncation_link_number),
    describe("truncation_link_end_lsn", root_field::truncation_link_end_lsn),
    describe("truncation_link_digest", root_field::truncation_link_digest),
    describe("required_features", root_field::required_features),
    describe("ignorable_features", root_field::ignorable_features),
    describe("hold_count", root_field::hold_count),
    describe("reserved", root_field::reserved),
    describe("holds", root_field::holds),
    describe("checksum", root_field::checksum),
});
inline constexpr auto kHoldFields = std::to_array<FieldDescription>({
    describe("lsn", hold_field::lsn),
    describe("name_bytes", hold_field::name_bytes),
    describe("name", hold_field::name),
});

inline constexpr uint64_t kRootMagic = 0x0a544f52'4c4157d7;  // d7 "WALROT" newline
inline constexpr uint64_t kRootSlotBytes = kBlockBytes;
inline constexpr uint64_t kHoldBytes = 64;
inline constexpr size_t kMaxHolds = 48;
inline constexpr size_t kMaxHoldNameBytes = 55;
inline constexpr uint32_t kRootFlagClean = 1;
/// Required feature bit: a copy of another log is being made here, and ends at the proven position.
inline constexpr uint64_t kCopyingFeature = 1;
/// Required feature bits of a root that this version understands.
inline constexpr uint64_t kKnownRootFeatures = kCopyingFeature;

/// Where a log begins.
struct LogStart {
  uint64_t number = 1;
  Lsn lsn;
  uint64_t ordinal = 0;
  friend bool operator==(const LogStart&, const LogStart&) = default;
};

/// A position that is durable, with the segment it lies in: a truncation uses Lsns again.
struct ProvenPosition {
  uint64_t number = 1;
  Lsn lsn;
  friend bool operator==(const ProvenPosition&, const ProvenPosition&) = default;
};

/// The last truncation; number 0: there was none.
struct TruncationMark {
  uint64_t number = 0;
  Lsn base_lsn;
  uint64_t ordinal = 0;
  SegmentLink link;
  friend bool operator==(const TruncationMark&, const TruncationMark&) = default;
};

/// A named consumer's position that a trim must not pass.
struct RootHold {
  std::string name;
  Lsn lsn;
  friend bool operator==(const RootHold&, const RootHold&) = default;
};

/// The root as values.
struct RootState {
  Identifier log_id{};
  uint64_t epoch = 0;
  bool is_clean = false;
  /// A copy is being made: what lies above `proven` is no part of the log, whatever it looks like.
  bool is_copying = false;
  LogStart first;
  ProvenPosition proven;
  uint64_t truncation_count = 0;
  TruncationMark truncation;
  uint64_t ignorable_features = 0;
  std::vector<RootHold> holds;
};

struct DecodedRootSlot {
  HeaderState state = HeaderState::invalid;
  uint64_t sequence = 0;
  RootState root;  ///< Set if valid.
};

/// `out` holds kRootSlotBytes; at most kMaxHolds holds with names of at most kMaxHoldNameBytes.
void encode_root_slot(const RootState& root, uint64_t sequence, std::span<std::byte> out);
[[nodiscard]] DecodedRootSlot decode_root_slot(std::span<const std::byte> slot);

}  // namespace writeahead::internal
