// PosixMappedRegion: mmap, and futexes without the private flag, which work between processes.
// What every call promises stands in writeahead/env.h.
#include "env/posix_mapping.h"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <limits>

#include "env/posix_file.h"

namespace writeahead::internal {
namespace {

// Of Linux 5.14; older headers do not name it.
constexpr int kPopulateRead = 22;
constexpr int kPopulateWrite = 23;

constexpr uint64_t kSecondNs = 1'000'000'000;

/// Reads the pages of a mapping in, and asks the file system for leave to store into them.
SystemResult<void> read_in(std::span<std::byte> bytes, bool is_writable) {
  const int advice = is_writable ? kPopulateWrite : kPopulateRead;
  while (::madvise(bytes.data(), bytes.size(), advice) != 0) {
    if (errno == EINTR) continue;
    if (errno == EINVAL) return {};  // A kernel that does not know the advice.
    // What would have been SIGBUS is EFAULT here, or EHWPOISON for memory that failed.
    if (errno == EFAULT || errno == EHWPOISON) return std::unexpected(SystemError{EIO});
    return last_error();
  }
  return {};
}

}  // namespace

SystemResult<std::unique_ptr<MappedRegion>> PosixMappedRegion::map(int descriptor,
                                                                   MapOptions options,
                                                                   bool is_random_access) {
  const int protection = options.writable ? PROT_READ | PROT_WRITE : PROT_READ;
  void* const memory =
      ::mmap(nullptr, options.bytes, protection, MAP_SHARED, descriptor, /*offset=*/0);
  if (memory == MAP_FAILED) return last_error();
  const std::span bytes(static_cast<std::byte*>(memory), options.bytes);
  std::unique_ptr<MappedRegion> region(new PosixMappedRegion(bytes, options.writable));
  // The descriptor's own advice does not reach page faults.
  if (is_random_access) (void)::madvise(memory, options.bytes, MADV_RANDOM);
  if (options.populate) {
    if (auto populated = read_in(bytes, options.writable); !populated)
      return std::unexpected(populated.error());
  }
  return region;
}

PosixMappedRegion::~PosixMappedRegion() { ::munmap(bytes_.data(), bytes_.size()); }

SystemResult<void> PosixMappedRegion::populate(size_t offset, size_t count) {
  return read_in(bytes_.subspan(offset, count), is_writable_);
}

bool PosixMappedRegion::wait(size_t offset, uint32_t expected, uint64_t timeout_ns) {
  timespec timeout{.tv_sec = static_cast<time_t>(timeout_ns / kSecondNs),
                   .tv_nsec = static_cast<long>(timeout_ns % kSecondNs)};
  if (::syscall(SYS_futex, &bytes_[offset], FUTEX_WAIT, expected, &timeout, nullptr, 0) == 0) {
    return true;
  }
  if (errno == EAGAIN || errno == EINTR) return true;
  // A page that can not be read any more: a caller that polls must not do so without a pause.
  if (errno != ETIMEDOUT) (void)::nanosleep(&timeout, nullptr);
  return false;
}

uint64_t PosixMappedRegion::wake_all(size_t offset) {
  const long woken = ::syscall(SYS_futex, &bytes_[offset], FUTEX_WAKE,
                               std::numeric_limits<int>::max(), nullptr, nullptr, 0);
  return woken > 0 ? static_cast<uint64_t>(woken) : 0;
}

}  // namespace writeahead::internal
