// Preparing and overwriting the floor's file.
#include "device_floor.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "measuring.h"

namespace writeahead::bench {
namespace {
constexpr std::string_view kName = "floor.tmp";
constexpr uint64_t kLargestWrite = 1ULL << 20;
}  // namespace

DeviceFloor::DeviceFloor(Directory& directory)
    : directory_(directory),
      memory_(
          static_cast<std::byte*>(::operator new(kLargestWrite, std::align_val_t(kBlockBytes)))) {
  std::fill_n(memory_.get(), kLargestWrite, std::byte{0});
  [[maybe_unused]] const auto removed = directory.remove(kName);
  auto file = directory.open(kName, {.write = true, .create = true});
  if (!file) give_up("cannot create the floor's file");
  cached_ = std::move(*file);
  for (uint64_t offset = 0; offset < kFileBytes; offset += kLargestWrite) {
    if (!cached_->write_at(offset, bytes(kLargestWrite), WriteBarrier::none)) {
      give_up("cannot fill the floor's file");
    }
  }
  if (!cached_->sync_data()) give_up("cannot sync the floor's file");
  auto direct = directory.open(kName, {.write = true, .direct = true});
  if (!direct) {
    fmt::print("direct access is refused here: the floor goes through the cache\n");
    direct = directory.open(kName, {.write = true});
  }
  if (!direct) give_up("cannot open the floor's file");
  direct_ = std::move(*direct);
}

DeviceFloor::~DeviceFloor() { [[maybe_unused]] const auto removed = directory_.remove(kName); }

double DeviceFloor::write_block() {
  const uint64_t offset = blocks_written_++ / kWritesPerBlock * kBlockBytes % kFileBytes;
  const Stopwatch time;
  if (!direct_->write_at(offset, bytes(kBlockBytes), WriteBarrier::dsync)) {
    give_up("the floor's write failed");
  }
  return time.wall() * 1e6;
}

void DeviceFloor::write(uint64_t count) {
  count = std::min((count + kBlockBytes - 1) / kBlockBytes * kBlockBytes, kLargestWrite);
  if (offset_ + count > kFileBytes) offset_ = 0;
  if (!direct_->write_at(offset_, bytes(count), WriteBarrier::dsync)) {
    give_up("the floor's write failed");
  }
  offset_ += count;
}

double DeviceFloor::write_block_cached() {
  const uint64_t offset = blocks_written_++ / kWritesPerBlock * kBlockBytes % kFileBytes;
  const Stopwatch time;
  if (!cached_->write_at(offset, bytes(kBlockBytes), WriteBarrier::none)) {
    give_up("the floor's write failed");
  }
  return time.wall() * 1e6;
}

}  // namespace writeahead::bench
