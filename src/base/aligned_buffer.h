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
  /// Throws only std::bad_alloc.
  explicit AlignedBuffer(size_t bytes)
      : memory_(static_cast<std::byte*>(::operator new(bytes, kAlignment))), bytes_(bytes) {}

  [[nodiscard]] std::span<std::byte> span() { return {memory_.get(), bytes_}; }
  [[nodiscard]] std::span<const std::byte> span() const { return {memory_.get(), bytes_}; }
  [[nodiscard]] size_t size() const { return bytes_; }

 private:
  static constexpr std::align_val_t kAlignment{kBlockBytes};
  struct Delete {
    void operator()(std::byte* memory) const { ::operator delete(memory, kAlignment); }
  };
  std::unique_ptr<std::byte, Delete> memory_;
  size_t bytes_ = 0;
};

}  // namespace writeahead::internal
