// The sanitizer calls a hook at each allocation. There is one watch at a time, on one thread.
#include "fuzz/allocation_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "fuzz/defect.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/allocator_interface.h>
#define WRITEAHEAD_FUZZ_SEES_ALLOCATIONS
#endif
#endif

namespace writeahead::testing {
namespace {

bool is_watching = false;
uint64_t largest_allocation = 0;

#ifdef WRITEAHEAD_FUZZ_SEES_ALLOCATIONS
void note_allocation(const volatile void* /*memory*/, size_t bytes) {
  if (is_watching) largest_allocation = std::max<uint64_t>(largest_allocation, bytes);
}

void note_release(const volatile void* /*memory*/) {}

void install_hooks() {
  [[maybe_unused]] static const int installed =
      __sanitizer_install_malloc_and_free_hooks(note_allocation, note_release);
}
#else
void install_hooks() {}
#endif

}  // namespace

AllocationWatch::AllocationWatch() {
  install_hooks();
  largest_allocation = 0;
  is_watching = true;
}

AllocationWatch::~AllocationWatch() { is_watching = false; }

uint64_t AllocationWatch::largest() const { return largest_allocation; }

void AllocationWatch::demand_bounded_by(uint64_t bytes, std::string_view what) const {
  constexpr uint64_t kAllowedBytes = 64ULL << 10;
  demand(largest() <= bytes + kAllowedBytes,
         fmt::format("{}: {} bytes of memory at once, for {}", what, largest(), bytes));
}

}  // namespace writeahead::testing
