// The control page: shared memory in which a writer tells followers what is durable.
//
// Nothing in it is needed after a crash, and it counts only with the boot id and log id of the
// present and an epoch at or above all that was seen. Every field is an independent 64-bit atomic,
// but for those of the newest bytes, which are told in an order: see root/newest_bytes.h.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "format/bytes.h"
#include "writeahead/env.h"

namespace writeahead::internal {

// NOLINTBEGIN(readability-identifier-naming): the names are those of docs/format.md.
namespace control_field {
inline constexpr Field<uint64_t> magic{0};
inline constexpr Field<uint64_t> epoch{8};
inline constexpr BytesField<16> boot_id{16};
inline constexpr BytesField<16> log_id{32};
inline constexpr Field<uint64_t> process_id{48};
inline constexpr Field<uint64_t> process_start_time{56};
inline constexpr Field<uint64_t> durable_lsn{64};
inline constexpr Field<uint64_t> truncation_count{72};
inline constexpr Field<uint64_t> wake_word{80};
inline constexpr Field<uint64_t> follower_waits{88};
inline constexpr Field<uint64_t> newest_number{96};
inline constexpr Field<uint64_t> newest_begin{104};
inline constexpr Field<uint64_t> newest_end{112};
}  // namespace control_field
// NOLINTEND(readability-identifier-naming)

inline constexpr uint64_t kControlMagic = 0x0a4c5443'4c4157d7;  // d7 "WALCTL" newline
inline constexpr uint64_t kControlBytes = kBlockBytes;
/// Behind the page: the newest bytes of the active segment.
inline constexpr uint64_t kNewestRingBytes = 16ULL << 10;
inline constexpr uint64_t kControlFileBytes = kControlBytes + kNewestRingBytes;

inline constexpr auto kControlFields = std::to_array<FieldDescription>({
    describe("magic", control_field::magic),
    describe("epoch", control_field::epoch),
    describe("boot_id", control_field::boot_id),
    describe("log_id", control_field::log_id),
    describe("process_id", control_field::process_id),
    describe("process_start_time", control_field::process_start_time),
    describe("durable_lsn", control_field::durable_lsn),
    describe("truncation_count", control_field::truncation_count),
    describe("wake_word", control_field::wake_word),
    describe("follower_waits", control_field::follower_waits),
    describe("newest_number", control_field::newest_number),
    describe("newest_begin", control_field::newest_begin),
    describe("newest_end", control_field::newest_end),
});

/// The 64-bit word at byte `offset` of a mapped page, as the atomic that all processes share.
[[nodiscard]] inline std::atomic_ref<uint64_t> control_word(std::span<std::byte> page,
                                                            uint32_t offset) {
  return std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(page.data() + offset));
}

/// The two words of an identifier, and back.
[[nodiscard]] inline std::array<uint64_t, 2> to_words(const Identifier& identifier) {
  return std::bit_cast<std::array<uint64_t, 2>>(identifier);
}
[[nodiscard]] inline Identifier to_identifier(const std::array<uint64_t, 2>& words) {
  return std::bit_cast<Identifier>(words);
}

}  // namespace writeahead::internal
