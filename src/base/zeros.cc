// One stretch of zeros for all.
// The system shows its page of zeros wherever nothing was stored yet.
#include "base/zeros.h"

#include "base/check.h"
#include "writeahead/env.h"

namespace writeahead::internal {
namespace {
// Not const, which would have the zeros stand in the program's file.
alignas(kBlockBytes) std::byte zero_bytes[kMostZeros];
}  // namespace

std::span<const std::byte> zeros(size_t bytes) {
  WRITEAHEAD_CHECK(bytes <= kMostZeros);
  return std::span<const std::byte>(zero_bytes).first(bytes);
}

}  // namespace writeahead::internal
