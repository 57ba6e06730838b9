// allocated_bytes: what the process has from its allocator at the moment, as that counts it.
#pragma once

#include <cstdint>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WRITEAHEAD_TEST_HAS_SANITIZER
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WRITEAHEAD_TEST_HAS_SANITIZER
#endif

#ifdef WRITEAHEAD_TEST_HAS_SANITIZER
#include <sanitizer/allocator_interface.h>
#else
#include <malloc.h>
#endif

namespace writeahead::testing {

inline uint64_t allocated_bytes() {
#ifdef WRITEAHEAD_TEST_HAS_SANITIZER
  return __sanitizer_get_current_allocated_bytes();
#else
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
#endif
}

}  // namespace writeahead::testing
