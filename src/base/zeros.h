// zeros(): bytes of zero that are to be written.
// They lie in memory that nobody ever stores to, so that they cost none.
#pragma once

#include <cstddef>
#include <span>

namespace writeahead::internal {

inline constexpr size_t kMostZeros = 1ULL << 20;

/// `bytes` zeros, block-aligned; at most kMostZeros.
[[nodiscard]] std::span<const std::byte> zeros(size_t bytes);

}  // namespace writeahead::internal
