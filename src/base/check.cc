// The failing end of WRITEAHEAD_CHECK: the only place of the library that prints and the only one
// that ends the process.
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace writeahead::internal {

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "writeahead: %s:%d: broken invariant: %s\n", file, line, condition);
  std::abort();
}

}  // namespace writeahead::internal
