// allocated_bytes: what the process has from its allocator at the moment, as that counts it.
#pragma once

#include <cstdint>

#include "support/sanitizers.h"

#ifdef WRITEAHEAD_IS_SANITIZED
#include <sanitizer/allocator_interface.h>
#else
#include <malloc.h>
#endif

namespace writeahead::testing {

inline uint64_t allocated_bytes() {
#ifdef WRITEAHEAD_IS_SANITIZED
  return __sanitizer_get_current_allocated_bytes();
#else
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
#endif
}

}  // namespace writeahead::testing
