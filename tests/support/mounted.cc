// System calls of mount(8) and losetup(8).
#include "support/mounted.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <stdexcept>

#include "support/child_process.h"
#include "support/system_check.h"

namespace writeahead::test {
namespace {

/// In the namespace that it was started in, others could see this process's mounts, and keep them.
std::optional<std::string> enter_namespace() {
  static const std::optional<std::string> kRefusal = []() -> std::optional<std::string> {
    if (::unshare(CLONE_NEWNS) != 0) return fmt::format("no mount namespace: errno {}", errno);
    // In a chroot the root need not be a mount: then mounts are seen where those around it are.
    const int answer = ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    if (answer != 0 && errno != EINVAL) return fmt::format("mounts are shared: errno {}", errno);
    return std::nullopt;
  }();
  return kRefusal;
}

/// Whether the kernel has it, or can load it.
bool can_mount(const std::string& type) {
  // Nothing is mounted of a device that is not there; a kind that is not known has an error of its
  // own.
  const int answer = ::mount("/nonexistent", "/", type.c_str(), 0, nullptr);
  return answer == 0 || errno != ENODEV;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const FileSystem& kind) { return out << kind.name; }

FileSystem ext4_file_system() {
  return {"ext4",
          64ULL << 20,
          {"mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0"}};
}

FileSystem xfs_file_system() { return {"xfs", 320ULL << 20, {"mkfs.xfs", "-q", "-f"}}; }

FileSystem btrfs_file_system() { return {"btrfs", 128ULL << 20, {"mkfs.btrfs", "-q", "-f"}}; }

std::optional<std::string> mounting_refusal(const std::vector<FileSystem>& kinds) {
  if (::geteuid() != 0) return "only root may mount";
  if (::access("/dev/loop-control", R_OK | W_OK) != 0) return "there is no /dev/loop-control";
  for (const FileSystem& kind : kinds) {
    if (find_program(kind.make.front()).empty()) return "there is no " + kind.make.front();
    if (!can_mount(kind.name)) return "the kernel has no " + kind.name;
  }
  return enter_namespace();
}

void make_image(const std::string& path, const FileSystem& kind) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  require_call(file >= 0 && ::ftruncate(file, static_cast<off_t>(kind.bytes)) == 0,
               "image " + path);
  ::close(file);
  std::vector<std::string> command = kind.make;
  command.front() = find_program(command.front());
  command.push_back(path);
  const Finished made = run_program(command);
  if (made.exit_code != 0) throw std::runtime_error(kind.make.front() + ": " + made.err);
}

LoopDevice::LoopDevice(const std::string& file) {
  const int backing = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  require_call(backing >= 0, "open " + file);
  const int control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  // Others may be quicker to take the one that is free.
  for (int tries = 0; tries < 1000 && descriptor_ < 0; ++tries) {
    const int number = ::ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0) break;
    path_ = fmt::format("/dev/loop{}", number);
    const int device = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
    loop_config config{};
    config.fd = static_cast<uint32_t>(backing);
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    if (device >= 0 && ::ioctl(device, LOOP_CONFIGURE, &config) == 0) {
      descriptor_ = device;
    } else if (device >= 0) {
      ::close(device);
    }
  }
  const int reason = errno;
  ::close(control);
  ::close(backing);
  errno = reason;
  require_call(descriptor_ >= 0, "loop device for " + file);
}

LoopDevice::~LoopDevice() { ::close(descriptor_); }

Mount::Mount(const std::string& source, std::string at, const std::string& type,
             const std::string& options)
    : at_(std::move(at)) {
  std::filesystem::create_directories(at_);
  const int done = ::mount(source.c_str(), at_.c_str(), type.c_str(), 0, options.c_str());
  require_call(done == 0, fmt::format("mount {} of {} at {}", type, source, at_));
}

Mount::Mount(const std::string& other, std::string at) : at_(std::move(at)) {
  std::filesystem::create_directories(at_);
  const int done = ::mount(other.c_str(), at_.c_str(), nullptr, MS_BIND, nullptr);
  require_call(done == 0, fmt::format("mount {} at {}", other, at_));
}

Mount::~Mount() {
  if (is_mounted_) ::umount2(at_.c_str(), MNT_DETACH);
}

void Mount::make_read_only() {
  const int done = ::mount("none", at_.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr);
  require_call(done == 0, "read-only mount of " + at_);
}

void Mount::unmount() {
  require_call(::umount2(at_.c_str(), 0) == 0, "umount " + at_);
  is_mounted_ = false;
}

}  // namespace writeahead::test
