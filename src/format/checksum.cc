// XXH3-64 under the names of the format. The inlined variant of the library is used because most
// inputs are 8 to 24 bytes long, where a call would cost as much as the hash.
#define XXH_INLINE_ALL
#include "format/checksum.h"

#include <xxhash.h>

#include <cstring>

namespace writeahead::internal {

uint64_t seed_of_log(const Identifier& log_id) { return XXH3_64bits(log_id.data(), log_id.size()); }

uint64_t seed_of_segment(uint64_t log_seed, uint64_t number) {
  return XXH3_64bits_withSeed(&number, sizeof(number), log_seed);
}

uint64_t checksum(std::span<const std::byte> bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

uint64_t payload_hash(std::span<const std::byte> payload) {
  return XXH3_64bits(payload.data(), payload.size());
}

uint64_t extend_digest(uint64_t digest, uint64_t record_checksum) {
  return XXH3_64bits_withSeed(&record_checksum, sizeof(record_checksum), digest);
}

}  // namespace writeahead::internal
