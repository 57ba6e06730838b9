// SimImage: reads and writes across block boundaries.
#include "sim_image.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace writeahead::testing::internal {

/// The bytes of a block, to be changed.
std::span<std::byte> SimImage::change(Cow<Block>& block) {
  Block& own = block.mutate();
  own.digest.store(0, std::memory_order_relaxed);
  return own.bytes;
}

uint64_t SimImage::digest() const {
  uint64_t all = 0;
  for (const Cow<Block>& block : *blocks_) {
    uint64_t digest = 0;
    if (block) {
      digest = block->digest.load(std::memory_order_relaxed);
      if (digest == 0) {
        digest = XXH3_64bits(block->bytes.data(), block->bytes.size()) | 1;
        block->digest.store(digest, std::memory_order_relaxed);
      }
    }
    all = XXH3_64bits_withSeed(&digest, sizeof digest, all);
  }
  return all;
}

void SimImage::read(uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const uint64_t block = offset / kBlockBytes;
    const size_t begin = offset % kBlockBytes;
    const size_t count = std::min(out.size(), kBlockBytes - begin);
    if (has_block(block)) {
      std::copy_n((*blocks_)[block]->bytes.data() + begin, count, out.data());
    } else {
      std::fill_n(out.data(), count, std::byte{0});
    }
    out = out.subspan(count);
    offset += count;
  }
}

void SimImage::write(uint64_t offset, std::span<const std::byte> data) {
  if (data.empty()) return;
  std::vector<Cow<Block>>& blocks = blocks_.mutate();
  const uint64_t end_block = (offset + data.size() - 1) / kBlockBytes + 1;
  if (blocks.size() < end_block) blocks.resize(end_block);
  while (!data.empty()) {
    Cow<Block>& block = blocks[offset / kBlockBytes];
    const size_t begin = offset % kBlockBytes;
    const size_t count = std::min(data.size(), kBlockBytes - begin);
    if (!block) {
      block = Cow<Block>(Block{});
      ++allocated_blocks_;
    }
    std::copy_n(data.data(), count, change(block).data() + begin);
    data = data.subspan(count);
    offset += count;
  }
}

void SimImage::cut(uint64_t offset) {
  const uint64_t kept_blocks = (offset + kBlockBytes - 1) / kBlockBytes;
  if (kept_blocks < blocks_->size()) {
    std::vector<Cow<Block>>& blocks = blocks_.mutate();
    for (size_t i = kept_blocks; i < blocks.size(); ++i) {
      if (blocks[i]) --allocated_blocks_;
    }
    blocks.resize(kept_blocks);
  }
  const size_t begin = offset % kBlockBytes;
  if (begin == 0 || !has_block(offset / kBlockBytes)) return;
  const auto last = std::span((*blocks_)[offset / kBlockBytes]->bytes).subspan(begin);
  if (std::ranges::all_of(last, [](std::byte byte) { return byte == std::byte{0}; })) return;
  std::ranges::fill(change(blocks_.mutate()[offset / kBlockBytes]).subspan(begin), std::byte{0});
}

bool SimImage::shows_same_as(const SimImage& other, uint64_t bytes) const {
  static constexpr std::array<std::byte, kBlockBytes> kZeros{};
  const auto bytes_of = [](const SimImage& image, uint64_t block) -> const std::byte* {
    return image.has_block(block) ? (*image.blocks_)[block]->bytes.data() : kZeros.data();
  };
  for (uint64_t block = 0; block * kBlockBytes < bytes; ++block) {
    const std::byte* const mine = bytes_of(*this, block);
    const std::byte* const theirs = bytes_of(other, block);
    const size_t count = std::min<uint64_t>(kBlockBytes, bytes - block * kBlockBytes);
    if (mine != theirs && std::memcmp(mine, theirs, count) != 0) return false;
  }
  return true;
}

bool SimImage::has_block(uint64_t block) const noexcept {
  return block < blocks_->size() && static_cast<bool>((*blocks_)[block]);
}

}  // namespace writeahead::testing::internal
