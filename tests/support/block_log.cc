// The daemon, the format of its log, and images.
#include "support/block_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "support/mounted.h"
#include "support/system_check.h"

namespace writeahead::test {
namespace {

constexpr uint64_t kMagic = 0x6a736677736872;
constexpr uint64_t kEntriesOffset = 16;  // behind magic and version
constexpr uint64_t kFlush = 1;
constexpr uint64_t kDiscard = 4;

uint64_t number_at(const std::vector<std::byte>& bytes, uint64_t offset) {
  uint64_t number = 0;
  std::memcpy(&number, bytes.data() + offset, sizeof number);
  return number;
}

std::vector<std::byte> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  std::vector<std::byte> bytes(static_cast<size_t>(file.tellg()));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  require_call(file.good(), "read " + path);
  return bytes;
}

}  // namespace

std::optional<std::string> block_log_refusal() {
  if (find_program("qemu-storage-daemon").empty()) return "there is no qemu-storage-daemon";
  if (::access("/dev/fuse", R_OK | W_OK) != 0) return "there is no /dev/fuse";
  return std::nullopt;
}

LoggedDisk::LoggedDisk(const std::string& directory, const std::string& image)
    : path_(directory + "/device"), log_path_(directory + "/log") {
  std::ofstream(path_).close();
  std::ofstream(log_path_).close();
  log_ = ::open(log_path_.c_str(), O_RDONLY | O_CLOEXEC);
  require_call(log_ >= 0, "open " + log_path_);
  // It says on its monitor when all that stands before it is there. Without `discard=unmap` at both
  // places holes would be neither made nor logged.
  daemon_ = std::make_unique<ChildProcess>(
      std::vector<std::string>{
          find_program("qemu-storage-daemon"), "--blockdev",
          fmt::format("file,node-name=file,filename={},discard=unmap", image), "--blockdev",
          fmt::format("file,node-name=log,filename={}", log_path_), "--blockdev",
          "blklogwrites,node-name=logged,file=file,log=log,log-sector-size=512,discard=unmap",
          "--export",
          fmt::format("fuse,id=export,node-name=logged,mountpoint={},writable=on", path_),
          "--chardev", "stdio,id=stdio", "--monitor", "chardev=stdio"},
      ChildSettings{.ends_with_parent = true});
  if (!daemon_->read_line()) {
    throw std::runtime_error("qemu-storage-daemon: " + daemon_->finish().err);
  }
}

LoggedDisk::~LoggedDisk() {
  daemon_.reset();
  ::umount2(path_.c_str(), MNT_DETACH);
  ::close(log_);
}

uint64_t LoggedDisk::entries() const {
  uint64_t entries = 0;
  const ssize_t got = ::pread(log_, &entries, sizeof entries, kEntriesOffset);
  return got == sizeof entries ? entries : 0;
}

void LoggedDisk::finish() {
  daemon_->send_signal(SIGTERM);
  const Finished finished = daemon_->finish();
  if (finished.exit_code != 0) throw std::runtime_error("qemu-storage-daemon: " + finished.err);
}

std::vector<BlockLogEntry> read_block_log(const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path);
  if (number_at(bytes, 0) != kMagic) throw std::runtime_error("no block log: " + path);
  std::vector<BlockLogEntry> entries;
  for (uint64_t offset = kSectorBytes; offset + kSectorBytes <= bytes.size();) {
    BlockLogEntry entry;
    entry.sector = number_at(bytes, offset);
    const uint64_t data_bytes = number_at(bytes, offset + 8) * kSectorBytes;
    const uint64_t flags = number_at(bytes, offset + 16);
    offset += kSectorBytes;
    entry.is_flush = (flags & kFlush) != 0;
    if ((flags & kDiscard) != 0) {
      entry.data.resize(data_bytes);
    } else {
      if (offset + data_bytes > bytes.size()) break;
      const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(offset);
      entry.data.assign(begin, begin + static_cast<std::ptrdiff_t>(data_bytes));
      offset += data_bytes;
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

BlockImage::BlockImage(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status{};
  require_call(file >= 0 && ::fstat(file, &status) == 0, "open " + path);
  bytes_ = static_cast<uint64_t>(status.st_size);
  off_t offset = 0;
  while ((offset = ::lseek(file, offset, SEEK_DATA)) >= 0) {
    Page page{};
    const ssize_t got = ::pread(file, page.data(), kPageBytes, offset);
    require_call(got == ssize_t{kPageBytes}, "read " + path);
    const bool is_zero = std::ranges::all_of(page, [](std::byte b) { return b == std::byte{0}; });
    if (!is_zero) pages_[static_cast<uint64_t>(offset) / kPageBytes] = page;
    offset += kPageBytes;
  }
  ::close(file);
}

void BlockImage::put(uint64_t sector, const std::byte* data) {
  const uint64_t offset = sector * kSectorBytes;
  Page& page = pages_[offset / kPageBytes];
  std::copy_n(data, kSectorBytes, page.begin() + static_cast<std::ptrdiff_t>(offset % kPageBytes));
}

void BlockImage::apply(const BlockLogEntry& entry) {
  for (uint64_t done = 0; done < entry.data.size(); done += kSectorBytes) {
    put(entry.sector + done / kSectorBytes, entry.data.data() + done);
  }
}

void BlockImage::apply_torn(const BlockLogEntry& entry, std::mt19937_64& random) {
  const bool has_first_block = random() % 2 == 0;
  for (uint64_t done = 0; done < entry.data.size(); done += kSectorBytes) {
    const uint64_t sector = entry.sector + done / kSectorBytes;
    const bool is_first_block = sector < kPageBytes / kSectorBytes;
    const bool is_there = is_first_block ? has_first_block : random() % 2 == 0;
    if (is_there) put(sector, entry.data.data() + done);
  }
}

void BlockImage::write_to(const std::string& path) const {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  require_call(file >= 0 && ::ftruncate(file, static_cast<off_t>(bytes_)) == 0, "create " + path);
  for (const auto& [number, page] : pages_) {
    const auto offset = static_cast<off_t>(number * kPageBytes);
    require_call(::pwrite(file, page.data(), kPageBytes, offset) == ssize_t{kPageBytes},
                 "write image");
  }
  ::close(file);
}

}  // namespace writeahead::test
