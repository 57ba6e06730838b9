// statx tells the alignment of direct transfers since Linux 6.1; what a power cut may tear stands
// in sysfs, by the number of the device that the file lies on.
#include "env/posix_device.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "env/posix_file.h"

namespace writeahead::internal {
namespace {

/// The number in a file of sysfs; 0 if there is none.
size_t read_number(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number() < 0) return 0;
  std::array<char, 24> text{};
  const ssize_t count = ::read(file.number(), text.data(), text.size());
  size_t number = 0;
  if (count > 0) std::from_chars(text.data(), text.data() + count, number);
  return number;
}

/// A file system that is no block device's, or spans several, has a number that leads nowhere.
size_t physical_bytes_of(unsigned int major, unsigned int minor) {
  const std::string device = fmt::format("/sys/dev/block/{}:{}", major, minor);
  const size_t bytes = read_number(device + "/queue/physical_block_size");
  // A partition has the queue of its disk.
  return bytes != 0 ? bytes : read_number(device + "/../queue/physical_block_size");
}

}  // namespace

DeviceUnits device_units_of(int descriptor) {
  DeviceUnits units;
#ifdef STATX_DIOALIGN
  struct statx status{};
  if (::statx(descriptor, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) != 0) return units;
  if ((status.stx_mask & STATX_DIOALIGN) != 0 && status.stx_dio_offset_align != 0) {
    const size_t needed = std::max(status.stx_dio_offset_align, status.stx_dio_mem_align);
    units.direct_bytes = std::min(needed, kBlockBytes);
  }
  units.physical_bytes = physical_bytes_of(status.stx_dev_major, status.stx_dev_minor);
#else
  static_cast<void>(descriptor);
#endif
  return units;
}

}  // namespace writeahead::internal
