// AlignedBuffer: block-aligned memory, as reads and writes past the page cache need it.
// Its bytes are not initialised. Move-only; the size never changes.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>

#include "writeahead/env.h"

namespace writeahead::internal {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  /// Begins at a multiple of `alignment`, a power of two. Throws only std::bad_alloc.
  explicit AlignedBuffer(size_t bytes, size_t alignment = kBlockBytes)
      : memory_(static_cast<std::byte*>(::operator new(bytes, std::align_val_t{alignment})),
                Delete{std::align_val_t{alignment}}),
        bytes_(bytes) {}

  [[nodiscard]] std::span<std::byte> span() { return {memory_.get(), bytes_}; }
  [[nodiscard]] std::span<const std::byte> span() const { return {memory_.get(), bytes_}; }
  [[nodiscard]] size_t size() const { return bytes_; }

 private:
  struct Delete {
    std::align_val_t alignment;  // of no meaning where there is no memory
    void operator()(std::byte* memory) const { ::operator delete(memory, alignment); }
  };
  std::unique_ptr<std::byte, Delete> memory_;
  size_t bytes_ = 0;
};

}  // namespace writeahead::internal
