// SimFile: the calls of one open file, under the machine's mutex.
#include "sim_file.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace writeahead::testing::internal {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 34;

}  // namespace

SystemResult<size_t> answer_count(int64_t result) {
  if (result < 0) return std::unexpected(SystemError{static_cast<int>(-result)});
  return static_cast<size_t>(result);
}

SystemResult<void> answer(int64_t result) {
  if (result < 0) return std::unexpected(SystemError{static_cast<int>(-result)});
  return {};
}

SimFile::SimFile(std::shared_ptr<SimMachine> machine, std::shared_ptr<const SimProcess> process,
                 NodeNumber node, OpenFlags flags, std::string path)
    : machine_(std::move(machine)),
      process_(std::move(process)),
      node_(node),
      flags_(flags),
      path_(std::move(path)) {
  machine_->open_files.push_back(this);
}

SimFile::~SimFile() {
  const std::lock_guard lock(machine_->mutex);
  std::erase(machine_->open_files, this);
  machine_->locks.drop(this);
}

SimMachine::Call SimFile::call(CallKind kind, uint64_t offset, uint64_t length) const {
  return {kind, path_, offset, length};
}

bool SimFile::is_aligned(uint64_t offset, const void* memory, size_t count) const {
  const size_t unit = machine_->options.direct_bytes;
  return offset % unit == 0 && count % unit == 0 && reinterpret_cast<uintptr_t>(memory) % unit == 0;
}

SystemResult<size_t> SimFile::read_at(uint64_t offset, std::span<std::byte> out) {
  const std::lock_guard lock(machine_->mutex);
  const SimFaults::Verdict verdict = machine_->begin(*process_, CallKind::read);
  SimMachine::Call traced = call(CallKind::read, offset, out.size());
  int error = verdict.error;
  if (error == 0 && machine_->state().is_directory(node_)) error = EISDIR;
  if (error == 0 && flags_.direct && !is_aligned(offset, out.data(), out.size())) error = EINVAL;
  if (error != 0) return answer_count(machine_->record(std::move(traced), -error));
  const size_t limit = verdict.transfer == 0 ? SIZE_MAX : verdict.transfer;
  const bool is_limited = limit < out.size();
  if (is_limited) out = out.first(limit);
  // Only a direct read changes the file, and so parts it from the copies that share it.
  const size_t count = flags_.direct ? machine_->state().file(node_).read_direct(offset, out)
                                     : machine_->state().nodes[node_].file->read(offset, out);
  if (is_limited && count == limit) ++machine_->short_transfers;
  return answer_count(machine_->record(std::move(traced), static_cast<int64_t>(count)));
}

SystemResult<size_t> SimFile::write_at(uint64_t offset, std::span<const std::byte> data,
                                       WriteBarrier barrier) {
  std::unique_lock lock(machine_->mutex);
  const CallKind kind = barrier == WriteBarrier::dsync ? CallKind::dsync_write : CallKind::write;
  SimMachine::Call traced = call(kind, offset, data.size());
  const SystemResult<size_t> result = perform_write(offset, data, barrier, lock);
  machine_->record(std::move(traced),
                   result ? static_cast<int64_t>(*result) : -int64_t{result.error().number});
  return result;
}

SystemResult<size_t> SimFile::perform_write(uint64_t offset, std::span<const std::byte> data,
                                            WriteBarrier barrier,
                                            std::unique_lock<std::mutex>& lock) {
  const bool is_dsync = barrier == WriteBarrier::dsync;
  const SimFaults::Verdict verdict =
      machine_->begin(*process_, is_dsync ? CallKind::dsync_write : CallKind::write,
                      [&] { return effect_of(offset, data); });
  if (verdict.stops_machine) return answer_count(-verdict.error);
  if (!flags_.write) return answer_count(-EBADF);
  if (machine_->state().is_directory(node_)) return answer_count(-EISDIR);
  if (flags_.direct && !is_aligned(offset, data.data(), data.size())) return answer_count(-EINVAL);
  if (offset > kMaxFileBytes || data.size() > kMaxFileBytes - offset) return answer_count(-EFBIG);

  const size_t room = machine_->state().room_for(node_, offset, data.size());
  if (verdict.error == 0 && room == 0 && !data.empty()) return answer_count(-ENOSPC);
  int error = verdict.error;
  // A dsync write looks for errors of write-back, as a sync does, and takes the one report.
  if (error == 0 && is_dsync) error = std::exchange(pending_error_, 0);
  if (error == EINTR) return answer_count(-error);
  const bool is_limited = verdict.transfer < std::min(room, data.size());
  data = data.first(std::min(room, verdict.transfer));
  if (error == 0 && machine_->holds_writes && !wait_while_held(offset, data, lock)) {
    return answer_count(-SimMachine::kStoppedError);
  }

  SimDiskState& disk = machine_->state();
  if (error == 0) {
    disk.file(node_).write(disk.next_order, offset, data, flags_.direct, barrier);
    if (is_limited) ++machine_->short_transfers;
  } else {
    if (verdict.error != 0) data = data.first(std::min(room, data.size()));
    disk.file(node_).fail_write(disk.next_order, offset, data, flags_.direct);
    if (is_dsync && !flags_.direct && verdict.error != 0) report_to_others(error);
  }
  machine_->memories.show(node_, disk.file(node_), offset, data.size());
  return answer_count(error == 0 ? static_cast<int64_t>(data.size()) : -error);
}

bool SimFile::wait_while_held(uint64_t offset, std::span<const std::byte> data,
                              std::unique_lock<std::mutex>& lock) {
  HeldWrite held{.number = machine_->next_held_write++, .effect = effect_of(offset, data)};
  machine_->held_writes.push_back(&held);
  machine_->changed.notify_all();
  machine_->changed.wait(lock, [&] { return held.is_released || machine_->is_over(*process_); });
  std::erase(machine_->held_writes, &held);
  machine_->changed.notify_all();
  return !machine_->is_over(*process_);
}

InFlightEffect SimFile::effect_of(uint64_t offset, std::span<const std::byte> data) const {
  // Calls that can only fail have no effect to be undecided about.
  const bool is_possible = flags_.write && !machine_->disk.state().is_directory(node_) &&
                           offset <= kMaxFileBytes && data.size() <= kMaxFileBytes - offset;
  if (!is_possible) return {};
  return [node = node_, is_direct = flags_.direct, offset,
          copy = std::vector(data.begin(), data.end())](SimDiskState& disk, size_t bytes) {
    const std::span<const std::byte> all(copy);
    const size_t count = std::min(bytes, disk.room_for(node, offset, all.size()));
    disk.file(node).write(disk.next_order, offset, all.first(std::min(count, all.size())),
                          is_direct, WriteBarrier::none);
  };
}

void SimFile::report_to_others(int error) {
  for (SimFile* const other : machine_->open_files) {
    if (other != this && other->node_ == node_) other->pending_error_ = error;
  }
}

SystemResult<void> SimFile::sync_data() {
  const std::lock_guard lock(machine_->mutex);
  const SimFaults::Verdict verdict = machine_->begin(*process_, CallKind::sync);
  SimMachine::Call traced = call(CallKind::sync, 0, 0);
  int error = verdict.error;
  if (error == 0 && machine_->state().is_directory(node_)) error = EISDIR;
  if (error == 0) {
    machine_->state().file(node_).sync();
    error = std::exchange(pending_error_, 0);
  } else if (!verdict.stops_machine && error != EISDIR) {
    machine_->state().file(node_).fail_sync();
    report_to_others(error);
    pending_error_ = 0;
  }
  return answer(machine_->record(std::move(traced), -error));
}

SystemResult<FileInfo> SimFile::info() {
  const std::lock_guard lock(machine_->mutex);
  const int error = machine_->begin(*process_, CallKind::info).error;
  machine_->record(call(CallKind::info, 0, 0), -error);
  if (error != 0) return std::unexpected(SystemError{error});
  const SimDiskState::Node& node = machine_->state().nodes[node_];
  return FileInfo{.bytes = node.file ? node.file->bytes() : 0,
                  .links = machine_->state().links_of(node_),
                  .is_regular = node.file && node.kind != SimFileKind::special,
                  .is_owned = node.kind != SimFileKind::foreign};
}

DeviceUnits SimFile::device_units() {
  const std::lock_guard lock(machine_->mutex);
  return {.direct_bytes = machine_->options.direct_bytes,
          .physical_bytes = machine_->state().sector_bytes};
}

SystemResult<void> SimFile::lock(LockKind kind) {
  const std::lock_guard lock(machine_->mutex);
  int error = machine_->begin(*process_, CallKind::lock).error;
  if (error == 0 && !machine_->locks.take(node_, this, process_.get(), kind)) error = EWOULDBLOCK;
  return answer(machine_->record(call(CallKind::lock, 0, 0), -error));
}

void SimFile::unlock() {
  const std::lock_guard lock(machine_->mutex);
  machine_->locks.drop(this);
}

int SimFile::map_refusal(MapOptions options) const {
  const SimDiskState::Node& node = machine_->disk.state().nodes[node_];
  if (options.bytes == 0 || !node.file) return EINVAL;
  if (options.writable && !flags_.write) return EACCES;
  const uint64_t block_end = (node.file->bytes() + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
  return options.populate && options.bytes > block_end ? EIO : 0;
}

SystemResult<std::unique_ptr<MappedRegion>> SimFile::map(MapOptions options) {
  const std::lock_guard lock(machine_->mutex);
  int error = machine_->begin(*process_, CallKind::map).error;
  if (error == 0) error = map_refusal(options);
  machine_->record(call(CallKind::map, 0, options.bytes), -error);
  if (error != 0) return std::unexpected(SystemError{error});
  auto image = machine_->memories.image(node_, *machine_->state().nodes[node_].file, options.bytes);
  return std::make_unique<SimMappedRegion>(machine_, process_, node_, std::move(image),
                                           options.bytes);
}

}  // namespace writeahead::testing::internal
