// BlockFile: one file of the log with the ways in which its bytes become durable and are read back.
//
// It hides which descriptors a SyncMethod needs and what to do where direct access is refused. It
// finishes short transfers, and never repeats a write or a sync that failed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "writeahead/env.h"
#include "writeahead/options.h"

namespace writeahead::internal {

class BlockFile {
 public:
  /// Opens `name`. Where the file system allows it a second, direct descriptor is opened, too.
  [[nodiscard]] static SystemResult<std::unique_ptr<BlockFile>> open(Directory& directory,
                                                                     std::string_view name,
                                                                     OpenFlags flags);

  /// Writes whole blocks, or units of direct access, durable on return, by `method` (not
  /// automatic). Offset, length and memory are aligned to them. EINVAL or EOPNOTSUPP before any
  /// byte went out if the method is refused.
  [[nodiscard]] SystemResult<void> write_durable(uint64_t offset, std::span<const std::byte> blocks,
                                                 SyncMethod method);
  /// Writes any bytes through the page cache; durable after sync().
  [[nodiscard]] SystemResult<void> write(uint64_t offset, std::span<const std::byte> bytes);
  /// Writes whole, aligned blocks or such units, past the page cache where that is possible;
  /// durable after sync().
  [[nodiscard]] SystemResult<void> write_blocks(uint64_t offset, std::span<const std::byte> blocks);
  /// The same for blocks that hold nothing yet; where a file's size is limited, the end of them
  /// goes through the page cache, so that the want of room is told as such.
  [[nodiscard]] SystemResult<void> fill_blocks(uint64_t offset, std::span<const std::byte> blocks);
  /// Makes all completed writes durable, by whichever way they were made.
  [[nodiscard]] SystemResult<void> sync() { return buffered_->sync_data(); }

  /// Reads until `out` is full or the file ends; returns how much.
  [[nodiscard]] SystemResult<size_t> read_cached(uint64_t offset, std::span<std::byte> out);
  /// The same past the page cache: what the device holds. Through the cache if that is refused.
  [[nodiscard]] SystemResult<size_t> read_device(uint64_t offset, std::span<std::byte> out);
  /// Whether read_device really does read the device.
  [[nodiscard]] bool reads_device() const { return direct_ != nullptr; }

  [[nodiscard]] SystemResult<FileInfo> info() { return buffered_->info(); }
  [[nodiscard]] DeviceUnits device_units() { return buffered_->device_units(); }
  [[nodiscard]] File& file() { return *buffered_; }

 private:
  BlockFile(std::unique_ptr<File> buffered, std::unique_ptr<File> direct);

  std::unique_ptr<File> buffered_;
  std::unique_ptr<File> direct_;  // null where the file system refuses it
};

/// Whether a call failed because the file system does not know the way it was asked to go.
[[nodiscard]] bool is_refused(SystemError error);

}  // namespace writeahead::internal
