// Where the kernel gives huge pages to those who ask, which is what most distributions choose,
// asking is all that it takes.
#include "env/posix_memory.h"

#include <sys/mman.h>

namespace writeahead::internal {

void prefer_huge_pages(std::span<std::byte> memory) {
  (void)::madvise(memory.data(), memory.size(), MADV_HUGEPAGE);
}

}  // namespace writeahead::internal
