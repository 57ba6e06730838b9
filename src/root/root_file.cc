// The two-slot protocol of the root file.
// One slot is written at a time, and each is durable before the next is touched.
#include "root/root_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "base/error.h"
#include "format/bytes.h"
#include "format/segment_name.h"

namespace writeahead::internal {

size_t RootSlots::newest() const {
  if (!is_valid(0)) return 1;
  if (!is_valid(1)) return 0;
  return slot[1].sequence > slot[0].sequence ? 1 : 0;
}

RootFile::RootFile(std::unique_ptr<BlockFile> file, std::string path)
    : file_(std::move(file)), path_(std::move(path)), block_(kRootSlotBytes) {}

Result<void> RootFile::check_room(Env& env, std::string_view action,
                                  const std::string& directory_path) {
  constexpr uint64_t kRootBytes = 2 * kRootSlotBytes;
  const uint64_t most_bytes = env.max_file_bytes();
  if (most_bytes >= kRootBytes) return {};
  const std::string cause =
      fmt::format("this process may write files of {} bytes (ulimit -f), and the root takes {}",
                  most_bytes, kRootBytes);
  return std::unexpected(
      make_error(ErrorCode::no_space, action, cause, {.path = directory_path}, EFBIG));
}

Result<std::unique_ptr<RootFile>> RootFile::open(Directory& directory,
                                                 const std::string& directory_path,
                                                 bool for_writing) {
  std::string path = join_path(directory_path, kRootName);
  auto file = BlockFile::open(directory, kRootName, {.write = for_writing});
  if (!file && file.error().number == ENOENT) return nullptr;
  if (!file) return std::unexpected(io_error("open root", file.error(), {.path = path}));
  auto info = (*file)->info();
  if (!info) return std::unexpected(io_error("stat root", info.error(), {.path = path}));
  if (!info->is_regular) {
    return std::unexpected(
        make_error(ErrorCode::io, "open root", "it is not a regular file", {.path = path}));
  }
  // Overwriting a file of somebody else's, or one that a hard-link copy of the log shares, would do
  // harm elsewhere.
  if (for_writing && (!info->is_owned || info->links != 1)) {
    return std::unexpected(
        make_error(ErrorCode::io, "open root",
                   info->is_owned ? "it has a second name, which a copy in its place would not have"
                                  : "it belongs to another user",
                   {.path = path}));
  }
  return std::unique_ptr<RootFile>(new RootFile(std::move(*file), std::move(path)));
}

Result<std::unique_ptr<RootFile>> RootFile::create(Directory& directory,
                                                   const std::string& directory_path,
                                                   uint32_t mode) {
  std::string path = join_path(directory_path, kRootName);
  auto file = BlockFile::open(directory, kRootName, {.write = true, .create = true, .mode = mode});
  if (!file && file.error().number == EEXIST) return nullptr;
  if (!file) return std::unexpected(io_error("create root", file.error(), {.path = path}));
  return std::unique_ptr<RootFile>(new RootFile(std::move(*file), std::move(path)));
}

Result<bool> RootFile::lock() {
  auto locked = file_->file().lock(LockKind::exclusive);
  if (locked) return true;
  if (locked.error().number == EWOULDBLOCK) return false;
  return std::unexpected(io_error("lock root", locked.error(), {.path = path_}));
}

Result<bool> RootFile::has_name() {
  auto info = file_->info();
  if (!info) return std::unexpected(io_error("stat root", info.error(), {.path = path_}));
  return info->links != 0;
}

Result<RootSlots> RootFile::load() {
  if (auto synced = file_->sync(); !synced) {
    return std::unexpected(io_error("sync root", synced.error(), {.path = path_}));
  }
  AlignedBuffer memory(2 * kRootSlotBytes);
  auto count = file_->read_device(0, memory.span());
  if (!count) return std::unexpected(io_error("read root", count.error(), {.path = path_}));
  RootSlots slots;
  for (size_t i = 0; i < 2; ++i) {
    // A file that ends early was never written whole: what is missing counts as a bad slot.
    if (*count < (i + 1) * kRootSlotBytes) continue;
    slots.slot[i] = decode_root_slot(memory.span().subspan(i * kRootSlotBytes, kRootSlotBytes));
  }
  const bool has_valid = slots.is_valid(0) || slots.is_valid(1);
  next_slot_ = has_valid ? 1 - slots.newest() : 0;
  next_sequence_ = has_valid ? slots.slot[slots.newest()].sequence + 1 : 1;
  uncertain_ = {};
  if (has_valid && !file_->reads_device()) {
    uncertain_ = AlignedBuffer(kRootSlotBytes);
    const auto bytes = memory.span().subspan((1 - next_slot_) * kRootSlotBytes, kRootSlotBytes);
    copy_bytes(bytes, uncertain_.span());
  }
  return slots;
}

Result<void> RootFile::write_slot(size_t slot, std::span<const std::byte> block,
                                  SyncMethod method) {
  const uint64_t offset = slot * kRootSlotBytes;
  if (auto written = file_->write_durable(offset, block, method); !written) {
    return std::unexpected(
        io_error("write root", written.error(), {.path = path_, .offset = offset}));
  }
  return {};
}

Result<void> RootFile::write_one(const RootState& root, SyncMethod method) {
  if (uncertain_.size() != 0) {
    // CRASH: the other slot is as it was, and a slot that was durable is not changed by this.
    auto written = write_slot(1 - next_slot_, uncertain_.span(), method);
    if (!written) return written;
    uncertain_ = {};
  }
  encode_root_slot(root, next_sequence_, block_.span());
  // CRASH: this slot may be torn afterwards; the other one is durable and carries the log.
  if (auto written = write_slot(next_slot_, block_.span(), method); !written) return written;
  ++next_sequence_;
  next_slot_ = 1 - next_slot_;
  return {};
}

Result<void> RootFile::write_both(const RootState& root, SyncMethod method) {
  if (auto written = write_one(root, method); !written) return written;
  return write_one(root, method);
}

}  // namespace writeahead::internal
