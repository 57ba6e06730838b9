// The hash of ids and snapshots.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "writeahead/index/id_codec.h"

namespace writeahead::index {

uint64_t hash_bytes(std::span<const std::byte> bytes, uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace writeahead::index
