// Packing Lsns, and walking through them.
// A difference is written in groups of seven bits, the low ones first; all but the last have a
// mark.
#include "lsn_queue.h"

#include <algorithm>
#include <array>
#include <utility>

namespace writeahead::index::internal {
namespace {

constexpr uint32_t kBlockEntries = 512;
// Of a difference, at most.
constexpr size_t kMostGroups = 10;
constexpr std::byte kMore{0x80};

uint64_t take_difference(std::span<const std::byte>& bytes) {
  uint64_t difference = 0;
  for (int shift = 0; !bytes.empty(); shift += 7) {
    const std::byte group = bytes.front();
    bytes = bytes.subspan(1);
    difference |= static_cast<uint64_t>(group & ~kMore) << shift;
    if ((group & kMore) == std::byte{0}) break;
  }
  return difference;
}

/// Gives its memory back, which `= {}` would keep.
void release(std::vector<std::byte>& bytes) { bytes = std::vector<std::byte>(); }

}  // namespace

bool LsnQueue::is_full() const {
  return is_empty() || blocks_.back().count == kBlockEntries || blocks_.back().spilled.bytes != 0;
}

void LsnQueue::make_room() {
  if (is_full()) {
    if (blocks_.size() == blocks_.capacity()) blocks_.reserve(2 * blocks_.size() + 1);
    return;
  }
  std::vector<std::byte>& bytes = blocks_.back().differences;
  if (bytes.capacity() - bytes.size() >= kMostGroups) return;
  const size_t before = bytes.capacity();
  bytes.reserve(std::max(2 * before, bytes.size() + kMostGroups));
  heap_bytes_ += bytes.capacity() - before;
}

void LsnQueue::add_bytes(Block& block, uint64_t difference) {
  std::array<std::byte, kMostGroups> groups;
  size_t count = 0;
  for (; difference >= 0x80; difference >>= 7) {
    groups[count++] = static_cast<std::byte>(difference) | kMore;
  }
  groups[count++] = static_cast<std::byte>(difference);
  const size_t before = block.differences.capacity();
  block.differences.insert(block.differences.end(), groups.begin(), groups.begin() + count);
  heap_bytes_ += block.differences.capacity() - before;
}

void LsnQueue::push(Lsn lsn) {
  if (!is_empty() && lsn <= back()) return;
  if (is_full()) {
    if (!is_empty()) {
      Block& full = blocks_.back();
      heap_bytes_ -= full.differences.capacity();
      full.differences.shrink_to_fit();
      heap_bytes_ += full.differences.capacity();
    }
    blocks_.push_back({.first = lsn, .last = lsn, .differences = {}, .spilled = {}});
    heap_bytes_ += sizeof(Block);
    if (is_empty()) front_ = lsn;
  } else {
    Block& block = blocks_.back();
    add_bytes(block, lsn - block.last);
    block.last = lsn;
    ++block.count;
  }
  ++count_;
}

template <class Visit>
Result<void> LsnQueue::each(const Block& block, const SpillFile* spill, const Visit& visit) {
  std::vector<std::byte> loaded;
  std::span<const std::byte> bytes = block.differences;
  if (block.spilled.bytes != 0) {
    if (auto read = spill->read(block.spilled, loaded); !read) return read;
    bytes = loaded;
  }
  Lsn lsn = block.first;
  for (uint32_t i = 0; i < block.count; ++i) {
    if (i != 0) lsn = lsn + take_difference(bytes);
    if (!visit(lsn)) break;
  }
  return {};
}

Result<void> LsnQueue::drop_below(Lsn lsn, const SpillFile* spill) {
  if (is_empty() || lsn <= front_) return {};
  const auto left = blocks();
  const auto border = std::ranges::lower_bound(left, lsn, {}, &Block::last);
  // How much of that block goes, before anything is changed.
  uint32_t skipped = 0;
  Lsn front;
  if (border != left.end()) {
    auto walked = each(*border, spill, [&](Lsn at) {
      skipped += at < lsn ? 1 : 0;
      front = at;
      return at < lsn;
    });
    if (!walked) return walked;
  }
  count_ += skipped_;
  for (auto whole = border - left.begin(); whole > 0; --whole) drop_block();
  count_ -= skipped;
  skipped_ = skipped;
  front_ = front;
  return {};
}

void LsnQueue::drop_block() {
  Block& block = blocks_[head_];
  count_ -= block.count;
  heap_bytes_ -= sizeof(Block) + block.differences.capacity();
  release(block.differences);
  ++head_;
  if (head_ * 2 < blocks_.size()) return;
  blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<std::ptrdiff_t>(head_));
  head_ = 0;
}

/// Rare: what is left of a block is made anew, before anything is taken out.
Result<void> LsnQueue::drop_from(Lsn lsn, const SpillFile* spill) {
  if (is_empty() || back() < lsn) return {};
  const auto left = blocks();
  const auto border = std::ranges::lower_bound(left, lsn, {}, &Block::last);
  LsnQueue kept;
  auto walked = each(*border, spill, [&](Lsn at) {
    if (at >= front_ && at < lsn) kept.push(at);
    return at < lsn;
  });
  if (!walked) return walked;
  if (border == left.begin()) skipped_ = 0;
  const auto first_gone =
      blocks_.begin() + static_cast<std::ptrdiff_t>(head_) + (border - left.begin());
  for (auto block = first_gone; block != blocks_.end(); ++block) {
    heap_bytes_ -= sizeof(Block) + block->differences.capacity();
  }
  blocks_.erase(first_gone, blocks_.end());
  // It is one block at most, for which the one that is gone leaves room.
  for (Block& block : kept.blocks_) blocks_.push_back(std::move(block));
  heap_bytes_ += kept.heap_bytes_;
  count_ = 0;
  for (const Block& block : blocks()) count_ += block.count;
  count_ -= skipped_;
  return {};
}

Result<void> LsnQueue::copy_from(Lsn from, size_t most, const SpillFile* spill,
                                 std::vector<Lsn>& out) const {
  if (is_empty()) return {};
  const auto left = blocks();
  const Lsn begin = std::max(from, front_);
  auto block = std::ranges::lower_bound(left, begin, {}, &Block::last);
  for (; block != left.end() && most != 0; ++block) {
    auto walked = each(*block, spill, [&](Lsn at) {
      if (at < begin) return true;
      out.push_back(at);
      return --most != 0;
    });
    if (!walked) return walked;
  }
  return {};
}

Result<uint64_t> LsnQueue::rank(Lsn lsn, const SpillFile* spill) const {
  if (is_empty() || lsn <= front_) return 0;
  const auto left = blocks();
  uint64_t below = 0;
  auto block = left.begin();
  for (; block != left.end() && block->last < lsn; ++block) below += block->count;
  if (block != left.end()) {
    auto walked = each(*block, spill, [&](Lsn at) {
      below += at < lsn ? 1 : 0;
      return at < lsn;
    });
    if (!walked) return std::unexpected(walked.error());
  }
  return below - skipped_;
}

Result<void> LsnQueue::copy_range(uint64_t rank, size_t most, const SpillFile* spill,
                                  std::vector<Lsn>& out) const {
  rank += skipped_;
  for (const Block& block : blocks()) {
    if (most == 0) break;
    if (rank >= block.count) {
      rank -= block.count;
      continue;
    }
    auto walked = each(block, spill, [&](Lsn at) {
      if (rank != 0) {
        --rank;
        return true;
      }
      out.push_back(at);
      return --most != 0;
    });
    if (!walked) return walked;
  }
  return {};
}

Result<Lsn> LsnQueue::border_behind(uint64_t count, const SpillFile* spill) const {
  if (count == 0) return Lsn();
  if (count >= count_) return is_empty() ? Lsn() : back() + 1;
  uint64_t rank = count + skipped_;
  auto block = blocks().begin();
  for (; rank >= block->count; ++block) rank -= block->count;
  Lsn border;
  auto walked = each(*block, spill, [&](Lsn at) {
    border = at;
    return rank-- != 0;
  });
  if (!walked) return std::unexpected(walked.error());
  return border;
}

Result<uint64_t> LsnQueue::spill(SpillFile& file) {
  const uint64_t before = heap_bytes_;
  for (size_t i = head_; i + 1 < blocks_.size(); ++i) {
    Block& block = blocks_[i];
    if (block.differences.empty()) continue;
    auto spilled = file.append(block.differences);
    if (!spilled) return std::unexpected(spilled.error());
    heap_bytes_ -= block.differences.capacity();
    block.spilled = *spilled;
    release(block.differences);
  }
  return before - heap_bytes_;
}

}  // namespace writeahead::index::internal
