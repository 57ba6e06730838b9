// The operators, on top of malloc, so that sanitizers see every block. What is given back is
// overwritten, so that whoever looks at it goes wrong in any build.
#include "memory/refusing_allocator.h"

#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define WRITEAHEAD_IS_ADDRESS_SANITIZED
#include <sanitizer/asan_interface.h>
#endif
#endif

namespace {

bool refuses_next() {
  auto& refusal = writeahead::test::refusal;
  if (!refusal.is_armed) return false;
  ++refusal.requests;
  const bool is_refused = refusal.k != 0 && (refusal.is_for_ever ? refusal.requests >= refusal.k
                                                                 : refusal.requests == refusal.k);
  if (is_refused) ++refusal.refused;
  return is_refused;
}

void* take_memory(size_t bytes, size_t alignment) {
  void* memory = nullptr;
  if (!refuses_next()) {
    const size_t rounded = (bytes + alignment) / alignment * alignment;  // Never nothing.
    memory = std::aligned_alloc(alignment, rounded);
  }
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void give_back(void* memory) {
  if (memory != nullptr) {
    const size_t bytes = ::malloc_usable_size(memory);
#ifdef WRITEAHEAD_IS_ADDRESS_SANITIZED
    __asan_unpoison_memory_region(memory, bytes);  // Containers poison what they do not use.
#endif
    std::memset(memory, 0xdd, bytes);
    asm volatile("" : : "r"(memory) : "memory");  // Else the compiler would leave it out.
  }
  std::free(memory);
}

}  // namespace

void* operator new(size_t bytes) { return take_memory(bytes, alignof(std::max_align_t)); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return take_memory(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, size_t) noexcept { give_back(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { give_back(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { give_back(memory); }
