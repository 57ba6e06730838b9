// SimImage: reads and writes across block boundaries.
#include "sim_image.h"

#include <algorithm>

namespace writeahead::testing::internal {

void SimImage::read(uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const uint64_t block = offset / kBlockBytes;
    const size_t begin = offset % kBlockBytes;
    const size_t count = std::min(out.size(), kBlockBytes - begin);
    if (has_block(block)) {
      std::copy_n((*(*blocks_)[block]).begin() + static_cast<ptrdiff_t>(begin), count, out.begin());
    } else {
      std::fill_n(out.begin(), count, std::byte{0});
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
    std::copy_n(data.begin(), count, block.mutate().begin() + static_cast<ptrdiff_t>(begin));
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
  const Block& last = *(*blocks_)[offset / kBlockBytes];
  if (std::all_of(last.begin() + static_cast<ptrdiff_t>(begin), last.end(),
                  [](std::byte byte) { return byte == std::byte{0}; })) {
    return;
  }
  Block& changed = blocks_.mutate()[offset / kBlockBytes].mutate();
  std::fill(changed.begin() + static_cast<ptrdiff_t>(begin), changed.end(), std::byte{0});
}

bool SimImage::has_block(uint64_t block) const noexcept {
  return block < blocks_->size() && static_cast<bool>((*blocks_)[block]);
}

}  // namespace writeahead::testing::internal
