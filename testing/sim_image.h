// SimImage: the bytes of one file in one view, in blocks that copies share.
//
// Knows nothing of durability or size: behind what was written it reads as zeros.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cow.h"
#include "writeahead/env.h"

namespace writeahead::testing::internal {

/// A sparse array of bytes. Cheap to copy.
class SimImage {
 public:
  void read(uint64_t offset, std::span<std::byte> out) const;
  void write(uint64_t offset, std::span<const std::byte> data);
  /// Zeros everything from `offset` on and gives the blocks behind it back.
  void cut(uint64_t offset);
  /// Whether the block was ever written.
  [[nodiscard]] bool has_block(uint64_t block) const noexcept;
  [[nodiscard]] uint64_t allocated_blocks() const noexcept { return allocated_blocks_; }

 private:
  using Block = std::array<std::byte, kBlockBytes>;

  Cow<std::vector<Cow<Block>>> blocks_{std::vector<Cow<Block>>()};
  uint64_t allocated_blocks_ = 0;
};

}  // namespace writeahead::testing::internal
