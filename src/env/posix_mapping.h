// PosixMappedRegion: memory that shows a file, and the words in it that processes sleep on.
//
// Owns the memory and nothing else: neither a descriptor nor a lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "writeahead/env.h"

namespace writeahead::internal {

/// See MappedRegion for the contract.
class PosixMappedRegion final : public MappedRegion {
 public:
  /// Maps the file of a descriptor, which may be closed afterwards.
  [[nodiscard]] static SystemResult<std::unique_ptr<MappedRegion>> map(int descriptor,
                                                                       MapOptions options,
                                                                       bool is_random_access);
  ~PosixMappedRegion() override;

  std::span<std::byte> bytes() override { return bytes_; }
  SystemResult<void> populate(size_t offset, size_t count) override;
  bool wait(size_t offset, uint32_t expected, uint64_t timeout_ns) override;
  uint64_t wake_all(size_t offset) override;

 private:
  PosixMappedRegion(std::span<std::byte> bytes, bool is_writable) noexcept
      : bytes_(bytes), is_writable_(is_writable) {}

  std::span<std::byte> bytes_;
  const bool is_writable_;
};

}  // namespace writeahead::internal
