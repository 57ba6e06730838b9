// PosixFile: an open file of the real system.
//
// Owns one descriptor. Besides posix_env and posix_directory the only place with system calls.
// Never retries a failed sync. A lock is given back by the process that took it and by no other:
// a forked child that unlocked would take its parent's away.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>

#include "writeahead/env.h"

namespace writeahead::internal {

/// A descriptor that is closed with its holder.
class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor();

  [[nodiscard]] int number() const noexcept { return number_; }
  /// Gives the descriptor to the caller.
  [[nodiscard]] int release() noexcept;

 private:
  int number_;
};

/// The errno of the call that just failed.
[[nodiscard]] std::unexpected<SystemError> last_error();

/// See File for the contract.
class PosixFile final : public File {
 public:
  PosixFile(Descriptor descriptor, OpenFlags flags) noexcept;
  ~PosixFile() override;

  SystemResult<size_t> read_at(uint64_t offset, std::span<std::byte> out) override;
  SystemResult<size_t> write_at(uint64_t offset, std::span<const std::byte> data,
                                WriteBarrier barrier) override;
  SystemResult<void> sync_data() override;
  SystemResult<FileInfo> info() override;
  DeviceUnits device_units() override;
  SystemResult<void> lock(LockKind kind) override;
  void unlock() override;
  SystemResult<std::unique_ptr<MappedRegion>> map(MapOptions options) override;

  /// Makes dsync writes as a system without RWF_DSYNC would have to: for tests.
  void refuse_dsync_for_test() noexcept { dsync_is_refused_ = true; }

 private:
  SystemResult<size_t> write_plain(uint64_t offset, std::span<const std::byte> data);
  SystemResult<size_t> write_then_sync(uint64_t offset, std::span<const std::byte> data);

  Descriptor descriptor_;
  bool is_random_access_;
  std::atomic<pid_t> locked_by_ = 0;  // The process that took the lock.
  std::atomic<LockKind> lock_kind_ = LockKind::shared;
  std::atomic<bool> dsync_is_refused_ = false;
  std::mutex emulation_mutex_;
  int emulation_error_ = 0;  // Guarded by emulation_mutex_.
};

}  // namespace writeahead::internal
