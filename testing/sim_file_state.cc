// SimFileState: what each call makes durable, and what it leaves open.
#include "sim_file_state.h"

#include <algorithm>

namespace writeahead::testing::internal {

SimFileState::SectorRange SimFileState::sectors_of(uint64_t offset, size_t count) const noexcept {
  return {offset / sector_bytes_, (offset + count + sector_bytes_ - 1) / sector_bytes_};
}

std::vector<std::byte> SimFileState::sector_of(const SimImage& image, uint64_t sector) const {
  std::vector<std::byte> bytes(sector_bytes_);
  image.read(sector * sector_bytes_, bytes);
  return bytes;
}

void SimFileState::write(uint64_t& next_order, uint64_t offset, std::span<const std::byte> data,
                         bool is_direct, WriteBarrier barrier) {
  if (data.empty()) return;
  const SectorRange range = sectors_of(offset, data.size());
  const uint64_t end = offset + data.size();
  if (is_direct) {
    flush_dirty(offset, data.size());
    device_.write(offset, data);
  }
  cache_.write(offset, data);
  const bool is_growing = end > bytes_;
  bytes_ = std::max(bytes_, end);
  if (barrier == WriteBarrier::dsync) {
    make_durable(range, end);
    return;
  }
  add_pieces(next_order, range, is_direct ? PendingState::device : PendingState::dirty, cache_);
  if (is_growing) sizes_.push_back({next_order++, end, false});
}

void SimFileState::fail_write(uint64_t& next_order, uint64_t offset,
                              std::span<const std::byte> data, bool is_direct) {
  if (data.empty()) return;
  const SectorRange range = sectors_of(offset, data.size());
  const uint64_t end = offset + data.size();
  // What was pending below it is as unknown as the write itself: it shares page or device queue.
  for (Piece& piece : pieces_) {
    if (range.contains(piece.sector)) piece.state = PendingState::failed;
  }
  SimImage image = cache_;
  image.write(offset, data);
  add_pieces(next_order, range, PendingState::failed, image);
  if (end > bytes_) sizes_.push_back({next_order++, end, true});
  if (!is_direct) {
    cache_ = image;
    bytes_ = std::max(bytes_, end);
  }
  for (uint64_t sector = range.begin; sector < range.end; ++sector) show_durable_on_device(sector);
}

void SimFileState::add_pieces(uint64_t& next_order, SectorRange range, PendingState state,
                              const SimImage& image) {
  for (uint64_t sector = range.begin; sector < range.end; ++sector) {
    pieces_.push_back(
        {next_order++, sector, state, Cow<std::vector<std::byte>>(sector_of(image, sector))});
  }
}

void SimFileState::make_durable(SectorRange range, uint64_t end) {
  for (uint64_t sector = range.begin; sector < range.end; ++sector) {
    const std::vector<std::byte> bytes = sector_of(cache_, sector);
    durable_.write(sector * sector_bytes_, bytes);
    device_.write(sector * sector_bytes_, bytes);
  }
  std::erase_if(pieces_, [&](const Piece& piece) { return range.contains(piece.sector); });
  settle_size(end);
}

void SimFileState::settle_size(uint64_t bytes) {
  durable_bytes_ = std::max(durable_bytes_, bytes);
  std::erase_if(sizes_, [&](const SizeChange& size) { return size.bytes <= durable_bytes_; });
}

void SimFileState::show_durable_on_device(uint64_t sector) {
  device_.write(sector * sector_bytes_, sector_of(durable_, sector));
}

void SimFileState::flush_dirty(uint64_t offset, size_t count) {
  // Whole pages, as the page cache writes them back.
  const uint64_t begin = offset / kBlockBytes * kBlockBytes;
  const uint64_t end = (offset + count + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
  for (Piece& piece : pieces_) {
    const uint64_t place = piece.sector * sector_bytes_;
    if (piece.state != PendingState::dirty || place < begin || place >= end) continue;
    device_.write(place, *piece.bytes);
    piece.state = PendingState::device;
  }
}

size_t SimFileState::readable(uint64_t offset, size_t count) const noexcept {
  return offset >= bytes_ ? 0 : static_cast<size_t>(std::min<uint64_t>(count, bytes_ - offset));
}

size_t SimFileState::read(uint64_t offset, std::span<std::byte> out) const {
  const size_t count = readable(offset, out.size());
  cache_.read(offset, out.first(count));
  return count;
}

size_t SimFileState::read_direct(uint64_t offset, std::span<std::byte> out) {
  const size_t count = readable(offset, out.size());
  flush_dirty(offset, count);
  device_.read(offset, out.first(count));
  return count;
}

void SimFileState::sync() {
  std::vector<uint64_t> written;
  uint64_t needed_bytes = 0;
  for (const Piece& piece : pieces_) {
    if (piece.state == PendingState::failed) continue;
    const uint64_t place = piece.sector * sector_bytes_;
    durable_.write(place, *piece.bytes);
    device_.write(place, *piece.bytes);
    written.push_back(piece.sector);
    needed_bytes = std::max(needed_bytes, std::min(bytes_, place + sector_bytes_));
  }
  std::ranges::sort(written);
  std::erase_if(pieces_, [&](const Piece& piece) {
    return std::ranges::binary_search(written, piece.sector);
  });
  for (const SizeChange& size : sizes_) {
    if (!size.is_failed) needed_bytes = std::max(needed_bytes, size.bytes);
  }
  settle_size(needed_bytes);
}

void SimFileState::fail_sync() {
  for (Piece& piece : pieces_) {
    piece.state = PendingState::failed;
    show_durable_on_device(piece.sector);
  }
  for (SizeChange& size : sizes_) size.is_failed = true;
}

void SimFileState::replace(std::span<const std::byte> data) {
  durable_ = SimImage();
  durable_.write(0, data);
  device_ = durable_;
  cache_ = durable_;
  bytes_ = data.size();
  durable_bytes_ = bytes_;
  pieces_.clear();
  sizes_.clear();
}

}  // namespace writeahead::testing::internal
