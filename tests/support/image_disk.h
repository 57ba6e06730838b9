// ImageDisk: a mounted file system on a device that is a file in memory, and what can happen to
// such a disk: its power is cut, or it has no room for what was promised to it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "support/mounted.h"

namespace writeahead::test {

/// One thread at a time. Throws what went wrong.
class ImageDisk {
 public:
  /// Everything lies below `directory`, which outlives it. One that is to run out of room gets its
  /// writes block by block: a loop device takes a write that was cut short for a success.
  ImageDisk(const std::string& directory, const FileSystem& kind, bool runs_out_of_room = false);
  ImageDisk(const ImageDisk&) = delete;
  ImageDisk& operator=(const ImageDisk&) = delete;
  ~ImageDisk();

  [[nodiscard]] std::string path(const std::string& name) const { return disk_->path(name); }

  /// Drops all that the kernel has not written to the device; all calls fail from now on.
  void cut_power();
  /// Mounts what the device holds. No file may be open any more.
  void mount_again();

  /// The device fails each write to a block that it has no room for: to those that were never
  /// written, and to those blocks of the files below `directory` that hold only zeros.
  void run_out_of_room(const std::string& directory);
  /// Room for all that comes, and a fresh mount.
  void mend();

 private:
  void mount();
  void limit_writes(const std::string& device);
  void restore_limit();
  void give_back_zeros(const std::string& file);
  [[nodiscard]] bool resize(uint64_t bytes);

  const FileSystem kind_;
  Mount ram_;
  const std::string image_;
  const std::string at_;
  std::optional<Mount> devices_;  // what the kernel lets be set of them
  std::string limit_file_;        // of the size of writes, for the device in use
  std::string limit_;             // that it had before
  std::optional<Mount> disk_;
};

}  // namespace writeahead::test
