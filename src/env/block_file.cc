// Transfers of a BlockFile: loops over short reads and writes, and the choice of the descriptor.
// A transfer that failed is never repeated here: nobody knows what it left.
#include "env/block_file.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/aligned_buffer.h"

namespace writeahead::internal {
namespace {

constexpr size_t kBounceBytes = 256 << 10;

SystemResult<void> write_all(File& file, uint64_t offset, std::span<const std::byte> bytes,
                             WriteBarrier barrier, bool in_blocks) {
  while (!bytes.empty()) {
    auto written = file.write_at(offset, bytes, barrier);
    if (!written) return std::unexpected(written.error());
    // A short direct write resumes at a block boundary: what it left of a block is written again.
    size_t count = *written;
    if (in_blocks && count < bytes.size()) count -= count % kBlockBytes;
    if (count == 0) return std::unexpected(SystemError{EIO});
    bytes = bytes.subspan(count);
    offset += count;
  }
  return {};
}

bool has_aligned_memory(std::span<std::byte> bytes) {
  return std::bit_cast<uintptr_t>(bytes.data()) % kBlockBytes == 0;
}

SystemResult<size_t> read_all(File& file, uint64_t offset, std::span<std::byte> out) {
  size_t total = 0;
  while (total < out.size()) {
    auto count = file.read_at(offset + total, out.subspan(total));
    if (!count) return std::unexpected(count.error());
    if (*count == 0) break;
    total += *count;
  }
  return total;
}

}  // namespace

bool is_refused(SystemError error) {
  return error.number == EINVAL || error.number == EOPNOTSUPP || error.number == ENOSYS;
}

BlockFile::BlockFile(std::unique_ptr<File> buffered, std::unique_ptr<File> direct)
    : buffered_(std::move(buffered)), direct_(std::move(direct)) {}

SystemResult<std::unique_ptr<BlockFile>> BlockFile::open(Directory& directory,
                                                         std::string_view name, OpenFlags flags) {
  flags.direct = false;
  auto buffered = directory.open(name, flags);
  if (!buffered) return std::unexpected(buffered.error());
  flags.direct = true;
  flags.create = false;
  auto direct = directory.open(name, flags);
  if (!direct && !is_refused(direct.error())) return std::unexpected(direct.error());
  return std::unique_ptr<BlockFile>(
      new BlockFile(std::move(*buffered), direct ? std::move(*direct) : nullptr));
}

SystemResult<void> BlockFile::write_durable(uint64_t offset, std::span<const std::byte> blocks,
                                            SyncMethod method) {
  switch (method) {
    case SyncMethod::direct_dsync:
      if (direct_ == nullptr) return std::unexpected(SystemError{EINVAL});
      return write_all(*direct_, offset, blocks, WriteBarrier::dsync, true);
    case SyncMethod::dsync:
      return write_all(*buffered_, offset, blocks, WriteBarrier::dsync, false);
    case SyncMethod::automatic:
    case SyncMethod::fdatasync:
      break;
  }
  auto written = write_all(*buffered_, offset, blocks, WriteBarrier::none, false);
  if (!written) return written;
  return buffered_->sync_data();
}

SystemResult<void> BlockFile::write(uint64_t offset, std::span<const std::byte> bytes) {
  return write_all(*buffered_, offset, bytes, WriteBarrier::none, false);
}

SystemResult<void> BlockFile::write_blocks(uint64_t offset, std::span<const std::byte> blocks) {
  const bool is_direct = direct_ != nullptr;
  return write_all(is_direct ? *direct_ : *buffered_, offset, blocks, WriteBarrier::none,
                   is_direct);
}

SystemResult<void> BlockFile::fill_blocks(uint64_t offset, std::span<const std::byte> blocks) {
  // Where the room ends inside a block, as a limit of the file's size may, a direct write falls
  // short of it or is refused: only one through the page cache says that there is no room.
  while (direct_ != nullptr && !blocks.empty()) {
    auto written = direct_->write_at(offset, blocks, WriteBarrier::none);
    if (!written && !is_refused(written.error())) return std::unexpected(written.error());
    size_t count = written ? *written : 0;
    if (count < blocks.size()) count -= count % kBlockBytes;
    if (count == 0) break;
    blocks = blocks.subspan(count);
    offset += count;
  }
  return write_all(*buffered_, offset, blocks, WriteBarrier::none, false);
}

SystemResult<size_t> BlockFile::read_cached(uint64_t offset, std::span<std::byte> out) {
  return read_all(*buffered_, offset, out);
}

SystemResult<size_t> BlockFile::read_device(uint64_t offset, std::span<std::byte> out) {
  if (direct_ == nullptr) return read_cached(offset, out);
  const auto is_aligned = [](uint64_t value) { return value % kBlockBytes == 0; };
  AlignedBuffer bounce;
  size_t total = 0;
  while (total < out.size()) {
    const uint64_t position = offset + total;
    const uint64_t skipped = position % kBlockBytes;
    const size_t wanted = out.size() - total;
    // Whole blocks come to where they are wanted, if that is aligned; the rest by way of a copy.
    const bool is_in_place =
        skipped == 0 && wanted >= kBlockBytes && has_aligned_memory(out.subspan(total));
    if (!is_in_place && bounce.size() == 0) {
      bounce = AlignedBuffer(std::min<uint64_t>(kBounceBytes, wanted + 2 * kBlockBytes) /
                             kBlockBytes * kBlockBytes);
    }
    auto memory = is_in_place ? out.subspan(total, wanted - wanted % kBlockBytes) : bounce.span();
    // Past the last whole block of the request nothing more than that block is read.
    const uint64_t needed = (skipped + wanted + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
    if (needed < memory.size()) memory = memory.first(needed);
    auto count = direct_->read_at(position - skipped, memory);
    if (!count) return std::unexpected(count.error());
    size_t filled = *count;
    if (!is_aligned(filled)) {
      // The file ends inside a block, or the transfer fell short of it: only the size tells which.
      auto info = direct_->info();
      if (!info) return std::unexpected(info.error());
      if (position - skipped + filled < info->bytes) {
        filled -= filled % kBlockBytes;
        if (filled == 0) return std::unexpected(SystemError{EIO});
      }
    }
    if (filled <= skipped) break;
    const size_t usable = std::min(filled - skipped, wanted);
    if (!is_in_place) std::memcpy(out.data() + total, memory.data() + skipped, usable);
    total += usable;
    if (usable < wanted && !is_aligned(filled)) break;
  }
  return total;
}

}  // namespace writeahead::internal
