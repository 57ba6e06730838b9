// LoggedDisk: a file whose writes are logged one by one, to be used as a device; BlockLog, what was
// logged; BlockImage, a device's content at any moment of it, or after a power cut at that moment.
//
// qemu-storage-daemon keeps the log, in the format of Linux's dm-log-writes, and shows the file by
// FUSE. A flush of the device stands in the log, too: what is between two of them may reach the
// medium in any order, or not at all, sector by sector.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "support/child_process.h"

namespace writeahead::test {

inline constexpr uint64_t kSectorBytes = 512;

/// Why there can be no LoggedDisk here; nothing if there can.
[[nodiscard]] std::optional<std::string> block_log_refusal();

/// One thread at a time, but for entries(). Throws what went wrong.
class LoggedDisk {
 public:
  /// Serves the file `image`; the log and what else it needs lie in `directory`.
  LoggedDisk(const std::string& directory, const std::string& image);
  LoggedDisk(const LoggedDisk&) = delete;
  LoggedDisk& operator=(const LoggedDisk&) = delete;
  /// Ends the daemon, and takes its mount away should it have left it.
  ~LoggedDisk();

  /// The file to be used as a device.
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::string& log_path() const { return log_path_; }
  /// So many entries are certainly in the log; up to date right after a flush.
  [[nodiscard]] uint64_t entries() const;
  /// Ends the daemon properly. Nobody may use the device any more.
  void finish();

 private:
  const std::string path_;
  const std::string log_path_;
  int log_ = -1;
  std::unique_ptr<ChildProcess> daemon_;
};

struct BlockLogEntry {
  uint64_t sector = 0;
  std::vector<std::byte> data;  // zeros for a discard; none for a flush
  bool is_flush = false;
};

/// All entries, in the order of the log. Entries beyond the count of its first sector are there,
/// too: it is not always up to date.
[[nodiscard]] std::vector<BlockLogEntry> read_block_log(const std::string& path);

/// A device's content in memory.
class BlockImage {
 public:
  /// What the file holds now.
  explicit BlockImage(const std::string& path);

  void apply(const BlockLogEntry& entry);
  /// Each sector of it, or not, as it happens. The device's first block is written whole or not at
  /// all: it has the superblock, and ext4 cannot be mounted with half of a new one.
  void apply_torn(const BlockLogEntry& entry, std::mt19937_64& random);
  /// Writes it to a new file.
  void write_to(const std::string& path) const;

 private:
  static constexpr uint64_t kPageBytes = 4096;
  using Page = std::array<std::byte, kPageBytes>;

  void put(uint64_t sector, const std::byte* data);

  uint64_t bytes_ = 0;
  std::map<uint64_t, Page> pages_;  // those that were ever written
};

}  // namespace writeahead::test
