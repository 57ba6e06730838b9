// Mounts of a test's own: LoopDevice, a block device that is a file; Mount, a file system at a
// directory; FileSystem, how one is made. All of it needs root.
//
// Mounts are made in a mount namespace of this process and its children, and devices let go of
// their file with the last use of them: whatever becomes of the test, nothing is left behind.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace writeahead::test {

/// A kind of file system, with the smallest image that its tools agree to.
struct FileSystem {
  std::string name;               ///< As mount(8) has it.
  uint64_t bytes;                 ///< Of an image.
  std::vector<std::string> make;  ///< The command, without the image's path.
};
/// For the messages of a test that takes one as its parameter.
std::ostream& operator<<(std::ostream& out, const FileSystem& kind);
[[nodiscard]] FileSystem ext4_file_system();
[[nodiscard]] FileSystem xfs_file_system();
[[nodiscard]] FileSystem btrfs_file_system();

/// Why file systems of these kinds cannot be made and mounted here; nothing if they can. Enters the
/// mount namespace.
[[nodiscard]] std::optional<std::string> mounting_refusal(const std::vector<FileSystem>& kinds);

/// Makes a sparse file with an empty file system. Throws what went wrong.
void make_image(const std::string& path, const FileSystem& kind);

/// One thread at a time. Throws std::system_error.
class LoopDevice {
 public:
  explicit LoopDevice(const std::string& file);
  LoopDevice(const LoopDevice&) = delete;
  LoopDevice& operator=(const LoopDevice&) = delete;
  /// Lets go of the file, as soon as nothing is mounted from it.
  ~LoopDevice();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  int descriptor_ = -1;
};

/// One thread at a time. Throws std::system_error.
class Mount {
 public:
  /// Makes the directory `at`, if there is none.
  Mount(const std::string& source, std::string at, const std::string& type,
        const std::string& options = {});
  /// Shows another directory at `at`, too.
  Mount(const std::string& other, std::string at);
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  /// Unmounts, once nobody uses it any more if somebody does.
  ~Mount();

  [[nodiscard]] const std::string& at() const { return at_; }
  [[nodiscard]] std::string path(const std::string& name) const { return at_ + "/" + name; }
  /// Unmounts now; throws if somebody uses it.
  void unmount();
  /// Nothing can be written there from now on.
  void make_read_only();

 private:
  const std::string at_;
  bool is_mounted_ = true;
};

}  // namespace writeahead::test
