// Mounting, and what the kernel offers to spoil a disk.
#include "support/image_disk.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <vector>

#include "support/system_check.h"

namespace writeahead::test {
namespace {

constexpr uint64_t kBlock = 4096;

class OpenFile {
 public:
  OpenFile(const std::string& path, int flags) : number_(::open(path.c_str(), flags | O_CLOEXEC)) {
    require_call(number_ >= 0, "open " + path);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() { ::close(number_); }
  [[nodiscard]] int number() const { return number_; }

 private:
  const int number_;
};

/// Where the blocks of a file lie on its device.
std::vector<fiemap_extent> extents_of(const std::string& path) {
  constexpr uint32_t kMost = 256;
  std::vector<std::byte> memory(sizeof(fiemap) + kMost * sizeof(fiemap_extent));
  auto* const map = reinterpret_cast<fiemap*>(memory.data());
  map->fm_length = FIEMAP_MAX_OFFSET;
  map->fm_flags = FIEMAP_FLAG_SYNC;
  map->fm_extent_count = kMost;
  const OpenFile file(path, O_RDONLY);
  require_call(::ioctl(file.number(), FS_IOC_FIEMAP, map) == 0, "map " + path);
  return {map->fm_extents, map->fm_extents + map->fm_mapped_extents};
}

}  // namespace

ImageDisk::ImageDisk(const std::string& directory, const FileSystem& kind, bool runs_out_of_room)
    : kind_(kind),
      ram_("none", directory + "/ram", "tmpfs", "size=1g"),
      image_(ram_.path("image")),
      at_(directory + "/disk") {
  make_image(image_, kind_);
  if (runs_out_of_room) devices_.emplace("none", directory + "/sys", "sysfs");
  mount();
}

/// The device goes with the mount: had it stayed open, so would what the kernel keeps of it in
/// memory, and a cut of the power would not be one.
void ImageDisk::mount() {
  const LoopDevice device(image_);
  if (devices_) limit_writes(device.path());
  disk_.emplace(device.path(), at_, kind_.name);
}

void ImageDisk::limit_writes(const std::string& device) {
  const std::string name = std::filesystem::path(device).filename();
  limit_file_ = devices_->path("block/" + name + "/queue/max_sectors_kb");
  std::ifstream(limit_file_) >> limit_;
  std::ofstream limit(limit_file_);
  limit << kBlock / 1024 << std::flush;
  require_call(limit.good(), "limit of " + device);
}

/// The next user of the device would have it, too.
void ImageDisk::restore_limit() {
  if (!limit_file_.empty()) std::ofstream(limit_file_) << limit_ << std::flush;
  limit_file_.clear();
}

ImageDisk::~ImageDisk() { restore_limit(); }

void ImageDisk::mount_again() {
  restore_limit();
  disk_->unmount();
  mount();
}

void ImageDisk::cut_power() {
  constexpr unsigned long kShutDown = _IOR('X', 125, uint32_t);  // FS_IOC_SHUTDOWN
  uint32_t without_flush = 2;
  const OpenFile directory(at_, O_RDONLY | O_DIRECTORY);
  require_call(::ioctl(directory.number(), kShutDown, &without_flush) == 0, "shutdown of " + at_);
}

void ImageDisk::run_out_of_room(const std::string& directory) {
  // A file system that never writes a block twice needs new ones anyway, and its maps show other
  // addresses than the device's.
  if (kind_.name != "btrfs") {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      if (entry.is_regular_file()) give_back_zeros(entry.path());
    }
  }
  // Meanwhile the file system may take some.
  constexpr int kTries = 1000;
  for (int i = 1; i <= kTries; ++i) {
    struct statfs room{};
    require_call(::statfs(ram_.at().c_str(), &room) == 0, "statfs");
    const auto block = static_cast<uint64_t>(room.f_bsize);
    if (resize((static_cast<uint64_t>(room.f_blocks) - room.f_bfree) * block)) return;
  }
  require_call(false, "no room for any more");
}

void ImageDisk::give_back_zeros(const std::string& file) {
  const OpenFile image(image_, O_RDWR);
  std::array<std::byte, kBlock> content{};
  for (const fiemap_extent& extent : extents_of(file)) {
    for (uint64_t offset = 0; offset < extent.fe_length; offset += kBlock) {
      const auto place = static_cast<off_t>(extent.fe_physical + offset);
      const ssize_t got = ::pread(image.number(), content.data(), kBlock, place);
      require_call(got == ssize_t{kBlock}, "read image");
      if (std::ranges::any_of(content, [](std::byte b) { return b != std::byte{0}; })) continue;
      const int done =
          ::fallocate(image.number(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, place, kBlock);
      require_call(done == 0, "give back a block");
    }
  }
}

bool ImageDisk::resize(uint64_t bytes) {
  const std::string options = "size=" + std::to_string(bytes);
  return ::mount("none", ram_.at().c_str(), "tmpfs", MS_REMOUNT, options.c_str()) == 0;
}

void ImageDisk::mend() {
  require_call(resize(1 << 30), "resize");
  mount_again();
}

}  // namespace writeahead::test
