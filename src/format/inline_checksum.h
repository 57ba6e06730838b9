// The same checksums as in checksum.h, to be inlined into a loop over records.
//
// Most inputs are 8 to 24 bytes long, where a call costs as much as the hash, and what several
// hashes can share is only seen by a compiler that has them in one function. Included by the few
// files whose loops need it: it brings all of xxhash with it.
#pragma once

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace writeahead::internal::inlined {

[[nodiscard]] static inline uint64_t checksum(std::span<const std::byte> bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

[[nodiscard]] static inline uint64_t payload_hash(std::span<const std::byte> payload) {
  return XXH3_64bits(payload.data(), payload.size());
}

[[nodiscard]] static inline uint64_t extend_digest(uint64_t digest, uint64_t record_checksum) {
  return XXH3_64bits_withSeed(&record_checksum, sizeof(record_checksum), digest);
}

}  // namespace writeahead::internal::inlined
