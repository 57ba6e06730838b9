// XXH3-64 under the names of the format, for callers that hash one thing at a time.
// How it is done stands in inline_checksum.h, once for these and for the loops over records.
#include "format/checksum.h"

#include "format/inline_checksum.h"

namespace writeahead::internal {

uint64_t seed_of_log(const Identifier& log_id) { return XXH3_64bits(log_id.data(), log_id.size()); }

uint64_t seed_of_segment(uint64_t log_seed, uint64_t number) {
  return XXH3_64bits_withSeed(&number, sizeof(number), log_seed);
}

uint64_t checksum(std::span<const std::byte> bytes, uint64_t seed) {
  return inlined::checksum(bytes, seed);
}

uint64_t payload_hash(std::span<const std::byte> payload) { return inlined::payload_hash(payload); }

uint64_t extend_digest(uint64_t digest, uint64_t record_checksum) {
  return inlined::extend_digest(digest, record_checksum);
}

}  // namespace writeahead::internal
