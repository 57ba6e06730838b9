// The daemons, and the order in which they come and go.
#include "support/failing_disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>
#include <vector>

#include "support/system_check.h"

namespace writeahead::test {
namespace {

/// nbdkit's command but for the file. The first filter is the one next to the file system.
std::vector<std::string> server_command(DeviceFault fault, int percent,
                                        const std::string& trigger) {
  std::vector<std::string> command{find_program("nbdkit"), "-s"};
  // With a cache the writes that fail are those which a flush makes.
  if (fault == DeviceFault::flush) command.emplace_back("--filter=cache");
  const std::string call = fault == DeviceFault::read ? "pread" : "pwrite";
  command.insert(command.end(), {"--filter=error", "file", fmt::format("error-{}=EIO", call),
                                 fmt::format("error-{}-rate={}%", call, percent),
                                 fmt::format("error-{}-file={}", call, trigger)});
  if (fault == DeviceFault::flush) command.emplace_back("cache=writeback");
  return command;
}

}  // namespace

std::string name_of(DeviceFault fault) {
  switch (fault) {
    case DeviceFault::write:
      return "writes";
    case DeviceFault::flush:
      return "flushes";
    case DeviceFault::read:
      return "reads";
  }
  return {};
}

std::ostream& operator<<(std::ostream& out, DeviceFault fault) { return out << name_of(fault); }

std::optional<std::string> failing_disk_refusal(const FileSystem& kind) {
  for (const std::string program : {"nbdkit", "nbdfuse"}) {
    if (find_program(program).empty()) return "there is no " + program;
  }
  if (::access("/dev/fuse", R_OK | W_OK) != 0) return "there is no /dev/fuse";
  return mounting_refusal({kind});
}

FailingDisk::FailingDisk(const std::string& directory, FileSystem kind, DeviceFault fault,
                         int percent)
    : kind_(std::move(kind)),
      fault_(fault),
      percent_(percent),
      at_(directory + "/disk"),
      ram_("none", directory + "/ram", "tmpfs", "size=1g"),
      image_(ram_.path("image")),
      device_(ram_.path("device")),
      trigger_(ram_.path("inject")),
      complaints_(ram_.path("complaints")) {
  make_image(image_, kind_);
  std::ofstream(device_).close();
  start();
}

FailingDisk::~FailingDisk() {
  ::close(root_);
  disk_.reset();
  ::umount2(device_.c_str(), MNT_DETACH);
}

void FailingDisk::start() {
  std::vector<std::string> command{find_program("nbdfuse"), "-P", "/dev/stdout", device_,
                                   "--command"};
  for (std::string& word : server_command(fault_, percent_, trigger_)) {
    command.push_back(std::move(word));
  }
  command.push_back(image_);
  std::filesystem::remove(complaints_);
  // A line for each error: in a pipe they would stop the device once it is full.
  daemon_ = std::make_unique<ChildProcess>(
      command, ChildSettings{.err_path = complaints_, .ends_with_parent = true});
  // It writes its process's number, without an end of the line, once the file is there.
  if (!daemon_->await_output()) {
    daemon_->send_signal(SIGTERM);
    (void)daemon_->finish();
    throw std::runtime_error("nbdfuse: " + read_complaints());
  }
  const LoopDevice device(device_);
  disk_.emplace(device.path(), at_, kind_.name);
  root_ = ::open(at_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  require_call(root_ >= 0, "open " + at_);
}

void FailingDisk::stop() {
  ::close(std::exchange(root_, -1));
  disk_->unmount();
  disk_.reset();
  // It ends with its mount, and that once the loop device has let go of it.
  require_call(::umount2(device_.c_str(), MNT_DETACH) == 0, "umount " + device_);
  const Finished finished = daemon_->finish();
  if (finished.exit_code != 0) throw std::runtime_error("nbdfuse: " + read_complaints());
}

std::string FailingDisk::read_complaints() const {
  std::ifstream file(complaints_);
  return {std::istreambuf_iterator<char>(file), {}};
}

void FailingDisk::fail() { std::ofstream(trigger_).close(); }

void FailingDisk::heal() { std::filesystem::remove(trigger_); }

int FailingDisk::last_refusal() {
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    const std::string name = path(fmt::format("new_{}", i));
    const int file = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) return errno;
    // It hears of the error when it writes down the name, if the file's own write has none.
    (void)::fsync(file);
    ::close(file);
  }
  return 0;
}

void FailingDisk::write_back() { (void)::syncfs(root_); }

void FailingDisk::replace_device() {
  stop();
  heal();
  start();
}

}  // namespace writeahead::test
