// DeviceFloor: what the device takes for a durable write, without a log.
//
// Blocks that were written before are overwritten past the page cache by calls that return when
// they are durable, moving on as a log does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

#include "writeahead/env.h"

namespace writeahead::bench {

class DeviceFloor {
 public:
  /// Prepares a file in `directory`.
  explicit DeviceFloor(Directory& directory);
  DeviceFloor(const DeviceFloor&) = delete;
  DeviceFloor& operator=(const DeviceFloor&) = delete;
  ~DeviceFloor();

  /// A block, the same one again as often as small records would touch it; microseconds.
  double write_block();
  /// So many bytes, rounded up to whole blocks, behind those of the last call.
  void write(uint64_t bytes);
  /// A block into the page cache; microseconds.
  double write_block_cached();

 private:
  static constexpr uint64_t kFileBytes = 64ULL << 20;
  static constexpr uint64_t kWritesPerBlock = 24;
  struct Delete {
    void operator()(std::byte* p) const { ::operator delete(p, std::align_val_t(kBlockBytes)); }
  };
  [[nodiscard]] std::span<const std::byte> bytes(uint64_t count) const {
    return {memory_.get(), count};
  }

  Directory& directory_;
  std::unique_ptr<std::byte, Delete> memory_;
  std::unique_ptr<File> cached_;
  std::unique_ptr<File> direct_;
  uint64_t blocks_written_ = 0;
  uint64_t offset_ = 0;
};

}  // namespace writeahead::bench
