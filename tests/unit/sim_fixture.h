// What the tests of the simulator share: aligned blocks of one byte, and a log directory's worth of
// shorthand.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/error_of.h"
#include "writeahead/testing/crash_sampler.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {

inline constexpr size_t kSectorBytes = 512;

inline std::vector<std::byte> filled(size_t count, char fill) {
  return std::vector<std::byte>(count, static_cast<std::byte>(fill));
}

/// Block-aligned memory, as direct files want it.
class Blocks {
 public:
  explicit Blocks(size_t count, char fill = 0)
      : memory_(static_cast<std::byte*>(std::aligned_alloc(kBlockBytes, count * kBlockBytes))),
        count_(count) {
    std::memset(memory_, fill, count * kBlockBytes);
  }
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;
  ~Blocks() { std::free(memory_); }
  [[nodiscard]] std::span<std::byte> bytes() const { return {memory_, count_ * kBlockBytes}; }

 private:
  std::byte* memory_;
  size_t count_;
};

/// One character for each sector of a file: '0' for zeros, the fill if all bytes agree, '?' else.
inline std::string sectors_in(std::span<const std::byte> bytes) {
  std::string text;
  for (size_t begin = 0; begin < bytes.size(); begin += kSectorBytes) {
    const auto sector = bytes.subspan(begin, std::min(kSectorBytes, bytes.size() - begin));
    char shown = static_cast<char>(sector[0]);
    for (const std::byte byte : sector) shown = byte == sector[0] ? shown : '?';
    text += shown == 0 ? '0' : shown;
  }
  return text;
}

inline std::string sectors_of(const SimDisk& disk, std::string_view path) {
  const auto bytes = disk.contents(path);
  return bytes ? sectors_in(*bytes) : "missing";
}

inline CrashPlan keep_none(LostBytes lost = LostBytes::old, TearMode tear = TearMode::powersafe) {
  return {.kept = {}, .lost = lost, .tear = tear};
}
inline CrashPlan keep_all() { return {.kept = std::vector<uint8_t>(1000, 1)}; }

/// A machine with one directory and, in it, the file "f" of four durable 'a' sectors.
struct Sim {
  explicit Sim(SimEnvOptions options = {}, size_t file_bytes = 4 * kSectorBytes)
      : env(initial(file_bytes), options),
        directory(env.open_directory("/log", false, 0).value()) {}

  static SimDisk initial(size_t file_bytes) {
    SimDisk disk;
    disk.put("/log/f", filled(file_bytes, 'a'));
    return disk;
  }
  std::unique_ptr<File> open(bool direct = false, std::string_view name = "f") const {
    return directory->open(name, {.write = true, .direct = direct}).value();
  }
  std::unique_ptr<File> create(std::string_view name) const {
    return directory->open(name, {.write = true, .create = true}).value();
  }

  SimEnv env;
  std::unique_ptr<Directory> directory;
};

inline int write(File& file, uint64_t offset, std::span<const std::byte> data,
                 WriteBarrier barrier = WriteBarrier::none) {
  const auto count = file.write_at(offset, data, barrier);
  EXPECT_EQ(count.value_or(data.size()), data.size());
  return error_of(count);
}

inline int write_sector(File& file, uint64_t sector, char fill,
                        WriteBarrier barrier = WriteBarrier::none) {
  return write(file, sector * kSectorBytes, filled(kSectorBytes, fill), barrier);
}

/// What a file shows, as sectors_in().
inline std::string read_sectors(File& file) {
  const Blocks blocks(4);
  const auto count = file.read_at(0, blocks.bytes());
  return count ? sectors_in(blocks.bytes().first(*count)) : "error";
}

}  // namespace writeahead::testing
