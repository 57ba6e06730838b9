// Checksums of format 1: XXH3-64, bound to the log, the segment and the place by seeds.
//
// Binding is what makes a block of another log, of another segment or of another offset fail by
// rule and not by luck, also when a payload contains byte-exact frames of this very log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "writeahead/env.h"

namespace writeahead::internal {

/// Seed of every checksum in the log with this id.
[[nodiscard]] uint64_t seed_of_log(const Identifier& log_id);

/// Seed of the checksums of records in segment `number`.
[[nodiscard]] uint64_t seed_of_segment(uint64_t log_seed, uint64_t number);

/// XXH3-64 of `bytes` under `seed`.
[[nodiscard]] uint64_t checksum(std::span<const std::byte> bytes, uint64_t seed);

/// The part of a record's checksum that needs no address: what an appender computes for itself.
[[nodiscard]] uint64_t payload_hash(std::span<const std::byte> payload);

/// The running digest of a segment after one more record with this checksum. It starts at 0.
[[nodiscard]] uint64_t extend_digest(uint64_t digest, uint64_t record_checksum);

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
/// Only in the build for fuzzing, and there only set by targets that are to get behind the
/// checksums, which no mutation of bytes would.
inline bool is_every_checksum_right = false;
#endif

/// Whether the checksum that stands beside bytes is theirs. All that are read are compared here.
[[nodiscard]] inline bool is_right_checksum(uint64_t stored, uint64_t computed) {
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  if (is_every_checksum_right) return true;
#endif
  return stored == computed;
}

}  // namespace writeahead::internal
