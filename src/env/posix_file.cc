// PosixFile: reads, writes, barriers and the lock of one descriptor.
//
// Must never report success for bytes whose write-back failed: see write_then_sync().
#include "env/posix_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "env/posix_device.h"
#include "env/posix_mapping.h"

namespace writeahead::internal {
namespace {

/// Repeats `call` while a signal interrupts it. Only for calls that answer EINTR if and only if
/// nothing was transferred, or that can be made again without harm.
template <class Call>
auto uninterrupted(Call call) {
  while (true) {
    const auto answer = call();
    if (answer != -1 || errno != EINTR) return answer;
  }
}

}  // namespace

Descriptor::~Descriptor() {
  // The result of close says nothing about durability; sync_data() already told.
  if (number_ >= 0) ::close(number_);
}

int Descriptor::release() noexcept { return std::exchange(number_, -1); }

std::unexpected<SystemError> last_error() { return std::unexpected(SystemError{errno}); }

PosixFile::PosixFile(Descriptor descriptor, OpenFlags flags) noexcept
    : descriptor_(std::move(descriptor)), is_random_access_(flags.random_access) {}

PosixFile::~PosixFile() {
  // A child that was forked meanwhile has the same open file, so that closing it is not enough to
  // give an exclusive lock back. A shared one protects bytes that somebody looks at, perhaps the
  // child in its copy of a mapping: closing gives that back when the last of them is gone.
  if (lock_kind_.load() == LockKind::exclusive) unlock();
}

SystemResult<size_t> PosixFile::read_at(uint64_t offset, std::span<std::byte> out) {
  const ssize_t count = uninterrupted([&] {
    return ::pread(descriptor_.number(), out.data(), out.size(), static_cast<off_t>(offset));
  });
  if (count < 0) return last_error();
  return static_cast<size_t>(count);
}

SystemResult<size_t> PosixFile::write_at(uint64_t offset, std::span<const std::byte> data,
                                         WriteBarrier barrier) {
  if (barrier == WriteBarrier::none) return write_plain(offset, data);
  if (!dsync_is_refused_) {
    iovec part{const_cast<std::byte*>(data.data()), data.size()};
    // Interrupted in the sync behind the write, the same bytes are written once more: harmless.
    const ssize_t count = uninterrupted([&] {
      return ::pwritev2(descriptor_.number(), &part, 1, static_cast<off_t>(offset), RWF_DSYNC);
    });
    if (count >= 0) return static_cast<size_t>(count);
    if (errno != EOPNOTSUPP && errno != ENOSYS) return last_error();
    dsync_is_refused_ = true;
  }
  return write_then_sync(offset, data);
}

SystemResult<size_t> PosixFile::write_plain(uint64_t offset, std::span<const std::byte> data) {
  const ssize_t count = uninterrupted([&] {
    return ::pwrite(descriptor_.number(), data.data(), data.size(), static_cast<off_t>(offset));
  });
  if (count < 0) return last_error();
  return static_cast<size_t>(count);
}

SystemResult<size_t> PosixFile::write_then_sync(uint64_t offset, std::span<const std::byte> data) {
  // CRASH: a write-back error is reported once per open file. Two callers at once could share one:
  // the second would be told that its lost bytes are durable. Hence one at a time, and an error
  // stays.
  const std::lock_guard lock(emulation_mutex_);
  if (emulation_error_ != 0) return std::unexpected(SystemError{emulation_error_});
  const SystemResult<size_t> written = write_plain(offset, data);
  if (!written) return written;
  const SystemResult<void> synced = sync_data();
  if (!synced) {
    emulation_error_ = synced.error().number;
    return std::unexpected(synced.error());
  }
  return written;
}

SystemResult<void> PosixFile::sync_data() {
  // Not even EINTR is repeated: the call may have taken the one report of an error with it.
  if (::fdatasync(descriptor_.number()) != 0) return last_error();
  return {};
}

SystemResult<FileInfo> PosixFile::info() {
  struct stat status{};
  if (::fstat(descriptor_.number(), &status) != 0) return last_error();
  return FileInfo{.bytes = static_cast<uint64_t>(status.st_size),
                  .links = static_cast<uint64_t>(status.st_nlink),
                  .is_regular = S_ISREG(status.st_mode),
                  .is_owned = status.st_uid == ::geteuid()};
}

DeviceUnits PosixFile::device_units() { return device_units_of(descriptor_.number()); }

SystemResult<void> PosixFile::lock(LockKind kind) {
  // flock and not fcntl: the latter would grant a second open file of this process the same lock.
  const int operation = kind == LockKind::exclusive ? LOCK_EX : LOCK_SH;
  const int answer =
      uninterrupted([&] { return ::flock(descriptor_.number(), operation | LOCK_NB); });
  if (answer != 0) return last_error();
  lock_kind_.store(kind);
  locked_by_.store(::getpid());
  return {};
}

void PosixFile::unlock() {
  // A child has its parent's open file, and must not give back what the parent holds.
  if (locked_by_.load() != ::getpid()) return;
  ::flock(descriptor_.number(), LOCK_UN);
  locked_by_.store(0);
}

SystemResult<std::unique_ptr<MappedRegion>> PosixFile::map(MapOptions options) {
  return PosixMappedRegion::map(descriptor_.number(), options, is_random_access_);
}

}  // namespace writeahead::internal
