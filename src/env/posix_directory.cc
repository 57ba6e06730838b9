// PosixDirectory: openat2 where the kernel has it, openat with O_NOFOLLOW elsewhere.
//
// A name is one component, checked before each call: with that, both ways resolve the same.
#include "env/posix_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

namespace writeahead::internal {
namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

bool is_single_component(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

std::unexpected<SystemError> invalid_name() { return std::unexpected(SystemError{EINVAL}); }

/// Opens `name` below `directory` without following a link; -1 and errno on failure.
int open_beneath(int directory, const char* name, int flags, uint32_t mode) {
  struct open_how how{};
  how.flags = static_cast<uint64_t>(static_cast<uint32_t>(flags));
  how.mode = (flags & O_CREAT) != 0 ? mode : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  while (true) {
    const long answer = ::syscall(SYS_openat2, directory, name, &how, sizeof(how));
    if (answer >= 0) return static_cast<int>(answer);
    if (errno == EINTR) continue;
    // EPERM: a sandbox that does not know the call; a real refusal is refused once more below.
    if (errno != ENOSYS && errno != EPERM) return -1;
    break;
  }
  while (true) {
    const int answer = ::openat(directory, name, flags, mode);
    if (answer >= 0 || errno != EINTR) return answer;
  }
}

/// Gives a file that was just created its mode and its way of access.
SystemResult<void> finish_creation(int file, OpenFlags flags) {
  if (::fchmod(file, flags.mode & kModeBits) != 0) return last_error();
  if (!flags.direct) return {};
  // Only now: a file system that refuses O_DIRECT in open would leave the created name behind.
  const int status = ::fcntl(file, F_GETFL);
  if (status < 0 || ::fcntl(file, F_SETFL, status | O_DIRECT) != 0) return last_error();
  return {};
}

}  // namespace

SystemResult<Descriptor> own_descriptor(int number) {
  if (number < 0) return last_error();
  Descriptor descriptor(number);
  if (number > STDERR_FILENO) return descriptor;
  const int moved = ::fcntl(number, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (moved < 0) return last_error();
  return Descriptor(moved);
}

PosixDirectory::PosixDirectory(Descriptor descriptor) noexcept
    : descriptor_(std::move(descriptor)) {}

SystemResult<std::unique_ptr<File>> PosixDirectory::open(std::string_view name, OpenFlags flags) {
  if (!is_single_component(name)) return invalid_name();
  const std::string path(name);
  int bits = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  bits |= flags.write ? O_RDWR : O_RDONLY;
  if (flags.create) bits |= O_CREAT | O_EXCL;
  if (flags.direct && !flags.create) bits |= O_DIRECT;
  SystemResult<Descriptor> file = own_descriptor(
      open_beneath(descriptor_.number(), path.c_str(), bits, flags.mode & kModeBits));
  if (!file) return std::unexpected(file.error());
  if (flags.create) {
    const SystemResult<void> finished = finish_creation(file->number(), flags);
    if (!finished) {
      ::unlinkat(descriptor_.number(), path.c_str(), 0);
      return std::unexpected(finished.error());
    }
  }
  // Advice: if the system does not take it, reads stay right and only disturb a writer more.
  if (flags.random_access) (void)::posix_fadvise(file->number(), 0, 0, POSIX_FADV_RANDOM);
  return std::make_unique<PosixFile>(*std::move(file), flags);
}

SystemResult<bool> PosixDirectory::is_writable_by_all() {
  struct stat facts{};
  if (::fstat(descriptor_.number(), &facts) != 0) return last_error();
  return (facts.st_mode & S_IWOTH) != 0;
}

SystemResult<std::vector<std::string>> PosixDirectory::list() {
  // A descriptor of its own: the position of a shared one would be moved by every caller.
  SystemResult<Descriptor> fresh =
      own_descriptor(::openat(descriptor_.number(), ".", kDirectoryFlags));
  if (!fresh) return std::unexpected(fresh.error());
  DIR* const raw = ::fdopendir(fresh->number());
  if (raw == nullptr) return last_error();
  (void)fresh->release();
  struct Close {
    void operator()(DIR* directory) const { ::closedir(directory); }
  };
  const std::unique_ptr<DIR, Close> directory(raw);
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* const entry = ::readdir(raw);
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return last_error();
  return names;
}

SystemResult<void> PosixDirectory::rename_no_replace(std::string_view from, std::string_view to) {
  if (!is_single_component(from) || !is_single_component(to)) return invalid_name();
  const std::string old_name(from);
  const std::string new_name(to);
  const int directory = descriptor_.number();
  if (::renameat2(directory, old_name.c_str(), directory, new_name.c_str(), RENAME_NOREPLACE) ==
      0) {
    return {};
  }
  if (errno != EINVAL && errno != ENOSYS) return last_error();
  return rename_by_link(directory, old_name.c_str(), new_name.c_str());
}

SystemResult<void> rename_by_link(int directory, const char* from, const char* to) {
  // CRASH: between the two calls the file has both names; never neither.
  if (::linkat(directory, from, directory, to, 0) != 0) return last_error();
  if (::unlinkat(directory, from, 0) != 0) {
    const std::unexpected<SystemError> error = last_error();
    ::unlinkat(directory, to, 0);
    return error;
  }
  return {};
}

SystemResult<void> PosixDirectory::remove(std::string_view name) {
  if (!is_single_component(name)) return invalid_name();
  if (::unlinkat(descriptor_.number(), std::string(name).c_str(), 0) != 0) return last_error();
  return {};
}

SystemResult<void> PosixDirectory::remove_directory(std::string_view name) {
  if (!is_single_component(name)) return invalid_name();
  const int removed = ::unlinkat(descriptor_.number(), std::string(name).c_str(), AT_REMOVEDIR);
  if (removed != 0) return last_error();
  return {};
}

SystemResult<std::unique_ptr<Directory>> PosixDirectory::open_directory(std::string_view name,
                                                                        bool create,
                                                                        uint32_t mode) {
  if (!is_single_component(name)) return invalid_name();
  const std::string path(name);
  const int parent = descriptor_.number();
  bool is_created = false;
  int number = open_beneath(parent, path.c_str(), kDirectoryFlags, 0);
  if (number < 0 && errno == ENOENT && create) {
    is_created = ::mkdirat(parent, path.c_str(), mode & kModeBits) == 0;
    if (!is_created && errno != EEXIST) return last_error();
    // A umask that takes the owner's bits away would keep us from opening what we made.
    if (is_created) {
      (void)::fchmodat(parent, path.c_str(), mode & kModeBits, AT_SYMLINK_NOFOLLOW);
    }
    number = open_beneath(parent, path.c_str(), kDirectoryFlags, 0);
  }
  SystemResult<Descriptor> directory = own_descriptor(number);
  if (!directory) return std::unexpected(directory.error());
  if (is_created && ::fchmod(directory->number(), mode & kModeBits) != 0) return last_error();
  return std::make_unique<PosixDirectory>(*std::move(directory));
}

SystemResult<void> PosixDirectory::sync() {
  if (::fsync(descriptor_.number()) != 0) return last_error();
  return {};
}

}  // namespace writeahead::internal
