// SimImage: the bytes of one file in one view, in blocks that copies share.
//
// Knows nothing of durability or size: behind what was written it reads as zeros.
#pragma once

#include <array>
#include <atomic>
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
  /// Whether the first `bytes` are those of the other one. What both share is not read.
  [[nodiscard]] bool shows_same_as(const SimImage& other, uint64_t bytes) const;
  /// A hash of all bytes. What a copy shares with others is hashed once for all of them.
  [[nodiscard]] uint64_t digest() const;

 private:
  struct Block {
    Block() = default;
    Block(const Block& other) : bytes(other.bytes) {}
    Block(Block&& other) noexcept : bytes(other.bytes) {}
    Block& operator=(const Block&) = delete;
    Block& operator=(Block&&) = delete;
    ~Block() = default;

    std::array<std::byte, kBlockBytes> bytes{};
    mutable std::atomic<uint64_t> digest = 0;  // 0: not known
  };
  [[nodiscard]] static std::span<std::byte> change(Cow<Block>& block);

  Cow<std::vector<Cow<Block>>> blocks_{std::vector<Cow<Block>>()};
  uint64_t allocated_blocks_ = 0;
};

}  // namespace writeahead::testing::internal
