// Advice to the kernel about memory. It owns nothing.
// Whatever is said here may be ignored, and never fails.
#pragma once

#include <cstddef>
#include <span>

namespace writeahead::internal {

inline constexpr size_t kHugePageBytes = 2ULL << 20;

/// Asks for huge pages behind memory that is made of whole ones: a write past the cache then holds
/// one page where it would have to hold 512.
void prefer_huge_pages(std::span<std::byte> memory);

}  // namespace writeahead::internal
