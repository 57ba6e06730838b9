// PosixFile: reads, writes, barriers, the lock and mappings of one descriptor.
//
// Must never report success for bytes whose write-back failed: see write_then_sync().
#include "env/posix_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace writeahead::internal {
namespace {

/// Memory from mmap.
class PosixMappedRegion final : public MappedRegion {
 public:
  explicit PosixMappedRegion(std::span<std::byte> bytes) noexcept : bytes_(bytes) {}
  ~PosixMappedRegion() override { ::munmap(bytes_.data(), bytes_.size()); }

  std::span<std::byte> bytes() override { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

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

PosixFile::PosixFile(Descriptor descriptor, bool is_writable) noexcept
    : descriptor_(std::move(descriptor)), is_writable_(is_writable) {}

PosixFile::~PosixFile() {
  // A child that was forked meanwhile has the same open file, so that closing it is not enough to
  // give the lock back; and it must not give back what its parent holds.
  if (locked_by_.load() == ::getpid()) ::flock(descriptor_.number(), LOCK_UN);
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

SystemResult<void> PosixFile::lock_exclusive() {
  // flock and not fcntl: the latter would grant a second open file of this process the same lock.
  const int answer =
      uninterrupted([&] { return ::flock(descriptor_.number(), LOCK_EX | LOCK_NB); });
  if (answer != 0) return last_error();
  locked_by_.store(::getpid());
  return {};
}

SystemResult<std::unique_ptr<MappedRegion>> PosixFile::map(size_t bytes) {
  const int protection = is_writable_ ? PROT_READ | PROT_WRITE : PROT_READ;
  void* const memory =
      ::mmap(nullptr, bytes, protection, MAP_SHARED, descriptor_.number(), /*offset=*/0);
  if (memory == MAP_FAILED) return last_error();
  return std::make_unique<PosixMappedRegion>(std::span(static_cast<std::byte*>(memory), bytes));
}

}  // namespace writeahead::internal
