// FailingDisk: a mounted file system on a device that fails its writes, its flushes or its reads
// when told to, until it is told to heal.
//
// nbdkit serves a file in memory and fails calls while another file exists; nbdfuse shows it as a
// file, and a loop device makes a device of that. So the errors come to the file system as those of
// a disk do.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "support/child_process.h"
#include "support/mounted.h"

namespace writeahead::test {

/// What a failing device answers with EIO.
enum class DeviceFault : uint8_t {
  write,  ///< All writes. The device has no cache.
  flush,  ///< All flushes. The device keeps what was written since the last one in a cache.
  read,   ///< So many reads of a hundred as FailingDisk is told, by chance.
};

/// "writes", "flushes" or "reads".
[[nodiscard]] std::string name_of(DeviceFault fault);
/// For the messages of a test that takes one as its parameter.
std::ostream& operator<<(std::ostream& out, DeviceFault fault);

/// Why there can be no FailingDisk here; nothing if there can. Enters the mount namespace.
[[nodiscard]] std::optional<std::string> failing_disk_refusal(const FileSystem& kind);

/// One thread at a time. Children of the process may call fail(), heal(), last_refusal() and
/// write_back(). Throws what went wrong.
class FailingDisk {
 public:
  /// Everything lies below `directory`, which outlives it.
  FailingDisk(const std::string& directory, FileSystem kind, DeviceFault fault, int percent = 100);
  FailingDisk(const FailingDisk&) = delete;
  FailingDisk& operator=(const FailingDisk&) = delete;
  ~FailingDisk();

  [[nodiscard]] std::string path(const std::string& name) const { return disk_->path(name); }

  void fail();
  /// The device works again. What the file system made of its errors stays.
  void heal();
  /// Makes new files until the file system refuses that; the errno that it gives as its reason.
  [[nodiscard]] int last_refusal();
  /// Lets the file system write what is in the page cache only, whether it can or not.
  void write_back();
  /// Unmounts the file system as the device is, and mounts it from a healthy one, which has lost
  /// its cache. Nothing is in the page cache then. No file may be open.
  void replace_device();

 private:
  void start();
  void stop();
  [[nodiscard]] std::string read_complaints() const;

  const FileSystem kind_;
  const DeviceFault fault_;
  const int percent_;
  const std::string at_;
  Mount ram_;
  const std::string image_;
  const std::string device_;      // the file that nbdfuse shows
  const std::string trigger_;     // calls fail while there is such a file
  const std::string complaints_;  // what the daemons say
  std::unique_ptr<ChildProcess> daemon_;
  std::optional<Mount> disk_;
  int root_ = -1;  // the file system's; one that was shut down lets nobody open it
};

}  // namespace writeahead::test
