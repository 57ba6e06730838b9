// The producer table: the last append of each producer that is remembered, oldest first.
//
// It stands in the first frame of a segment, between the frame's header and its first record, so
// that whoever reads from there on knows all that the producers of the segments before did.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "format/bytes.h"
#include "writeahead/batch.h"
#include "writeahead/lsn.h"
#include "writeahead/producer_number.h"

namespace writeahead::internal {

// NOLINTBEGIN(readability-identifier-naming): the names are those of docs/format.md.
namespace producer_field {
inline constexpr Field<uint64_t> producer{0};
inline constexpr Field<uint64_t> number{8};
inline constexpr Field<uint64_t> first_lsn{16};
inline constexpr Field<uint64_t> end_lsn{24};
inline constexpr Field<uint64_t> first_ordinal{32};
}  // namespace producer_field
// NOLINTEND(readability-identifier-naming)

inline constexpr uint64_t kProducerEntryBytes = 32 + sizeof(uint64_t);
inline constexpr uint64_t kMostProducers = 10'000;
inline constexpr uint64_t kMostTableBytes = kMostProducers * kProducerEntryBytes;

inline constexpr auto kProducerFields = std::to_array<FieldDescription>({
    describe("producer", producer_field::producer),
    describe("number", producer_field::number),
    describe("first_lsn", producer_field::first_lsn),
    describe("end_lsn", producer_field::end_lsn),
    describe("first_ordinal", producer_field::first_ordinal),
});

/// The last append of a producer, and what it was answered.
struct ProducerEntry {
  ProducerNumber last;
  Appended range;
};

/// `out` holds kProducerEntryBytes, as `bytes` does.
void encode_producer_entry(const ProducerEntry& entry, std::span<std::byte> out);
[[nodiscard]] ProducerEntry decode_producer_entry(std::span<const std::byte> bytes);

/// Whether these whole entries may stand in a frame at `lsn`: each append ends where the next one
/// begins or before, and all end below the frame.
[[nodiscard]] bool is_producer_table(std::span<const std::byte> table, Lsn lsn);

}  // namespace writeahead::internal
