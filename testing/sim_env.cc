// SimEnv: one process's view of a simulated machine.
#include "writeahead/testing/sim_env.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <utility>
#include <vector>

#include "sim_directory.h"
#include "sim_file.h"
#include "sim_machine.h"

namespace writeahead::testing {

using internal::NodeNumber;
using internal::SimDiskState;
using internal::SimFaults;
using internal::SimMachine;
using internal::SimProcess;

SimEnv::SimEnv(SimDisk disk, SimEnvOptions options)
    : machine_(std::make_shared<SimMachine>(std::move(disk), options)),
      process_(machine_->start_process(options.process_id)) {}

SimEnv::SimEnv(std::shared_ptr<SimMachine> machine, std::shared_ptr<SimProcess> process)
    : machine_(std::move(machine)), process_(std::move(process)) {}

SimEnv::~SimEnv() {
  const std::lock_guard lock(machine_->mutex);
  std::erase(machine_->processes, process_->identity);
}

std::unique_ptr<SimEnv> SimEnv::another_process(uint64_t process_id) {
  const std::lock_guard lock(machine_->mutex);
  return std::unique_ptr<SimEnv>(new SimEnv(machine_, machine_->start_process(process_id)));
}

void SimEnv::kill() {
  const std::lock_guard lock(machine_->mutex);
  process_->is_killed = true;
  std::erase(machine_->processes, process_->identity);
  machine_->locks.drop_all_of(process_.get());
  machine_->changed.notify_all();
}

SimDisk SimEnv::disk() const {
  const std::lock_guard lock(machine_->mutex);
  return machine_->disk_in_flight();
}

uint64_t SimEnv::free_bytes() const {
  const std::lock_guard lock(machine_->mutex);
  const SimDiskState& disk = machine_->state();
  if (!disk.capacity_blocks) return UINT64_MAX;
  const uint64_t used = disk.used_blocks();
  return *disk.capacity_blocks > used ? (*disk.capacity_blocks - used) * kBlockBytes : 0;
}

void SimEnv::set_free_bytes(uint64_t bytes) {
  const std::lock_guard lock(machine_->mutex);
  SimDiskState& disk = machine_->state();
  disk.capacity_blocks.reset();
  if (bytes != UINT64_MAX) disk.capacity_blocks = disk.used_blocks() + bytes / kBlockBytes;
}

uint64_t SimEnv::calls() const {
  const std::lock_guard lock(machine_->mutex);
  return machine_->faults.calls();
}

uint64_t SimEnv::calls(CallKind kind) const {
  const std::lock_guard lock(machine_->mutex);
  return machine_->faults.calls(kind);
}

void SimEnv::crash_at(uint64_t call) {
  const std::lock_guard lock(machine_->mutex);
  machine_->faults.stop_at(call);
}

void SimEnv::watch_crashes(std::function<void(uint64_t call, SimDisk disk)> watch) {
  const std::lock_guard lock(machine_->mutex);
  machine_->crash_watch = std::move(watch);
}

void SimEnv::crash_now() {
  const std::lock_guard lock(machine_->mutex);
  machine_->stop({});
}

bool SimEnv::crashed() const {
  const std::lock_guard lock(machine_->mutex);
  return machine_->is_stopped;
}

SimDisk SimEnv::crashed_disk() const {
  const std::lock_guard lock(machine_->mutex);
  return machine_->is_stopped ? *machine_->power_cut_disk : machine_->disk_in_flight();
}

SimDisk SimEnv::killed_disk(size_t bytes) const {
  const std::lock_guard lock(machine_->mutex);
  SimDisk copy = machine_->is_stopped ? *machine_->killed_disk : machine_->disk;
  if (machine_->stopped_effect) machine_->stopped_effect(copy.state(), bytes);
  return copy;
}

void SimEnv::fail_call(uint64_t k, int error, FaultSpan span, std::optional<CallKind> kind) {
  const std::lock_guard lock(machine_->mutex);
  machine_->faults.fail(k, error, span, kind);
}

void SimEnv::short_transfer(uint64_t k, size_t bytes) {
  const std::lock_guard lock(machine_->mutex);
  machine_->faults.shorten(k, bytes);
}

void SimEnv::limit_transfers(size_t bytes) {
  const std::lock_guard lock(machine_->mutex);
  machine_->faults.limit_transfers(bytes);
}

void SimEnv::clear_faults() {
  const std::lock_guard lock(machine_->mutex);
  machine_->faults.clear();
}

void SimEnv::hold_writes(bool is_held) {
  const std::lock_guard lock(machine_->mutex);
  machine_->holds_writes = is_held;
}

bool SimEnv::wait_for_held_writes(size_t count) {
  std::unique_lock lock(machine_->mutex);
  return machine_->changed.wait_for(lock, std::chrono::seconds(10),
                                    [&] { return machine_->held_writes.size() >= count; });
}

void SimEnv::release_write(size_t index) {
  std::unique_lock lock(machine_->mutex);
  if (index >= machine_->held_writes.size()) return;
  const uint64_t number = machine_->held_writes[index]->number;
  machine_->held_writes[index]->is_released = true;
  machine_->changed.notify_all();
  // Their count tells nothing: the next write may be held before this thread looks.
  const auto is_it = [&](const internal::HeldWrite* held) { return held->number == number; };
  machine_->changed.wait(lock, [&] { return std::ranges::none_of(machine_->held_writes, is_it); });
}

bool SimEnv::wait_for_waiters(size_t count) {
  std::unique_lock lock(machine_->mutex);
  return machine_->changed.wait_for(lock, std::chrono::seconds(10),
                                    [&] { return machine_->waiters.size() >= count; });
}

uint64_t SimEnv::short_transfers() const {
  const std::lock_guard lock(machine_->mutex);
  return machine_->short_transfers;
}

void SimEnv::set_shortest_wait_ns(uint64_t ns) {
  const std::lock_guard lock(machine_->mutex);
  machine_->shortest_wait_ns = ns;
}

uint64_t SimEnv::timed_out_waits() const {
  const std::lock_guard lock(machine_->mutex);
  return machine_->timed_out_waits;
}

void SimEnv::advance_ns(uint64_t ns) {
  const std::lock_guard lock(machine_->mutex);
  machine_->monotonic_ns += ns;
  machine_->wall_clock_ns += ns;
}

void SimEnv::set_wall_clock_ns(uint64_t ns) {
  const std::lock_guard lock(machine_->mutex);
  machine_->wall_clock_ns = ns;
}

uint64_t SimEnv::seed() const { return machine_->options.seed; }

std::string SimEnv::trace() const {
  const std::lock_guard lock(machine_->mutex);
  return machine_->trace();
}

SystemResult<std::unique_ptr<Directory>> SimEnv::open_directory(const std::string& path,
                                                                bool create, uint32_t) {
  const std::lock_guard lock(machine_->mutex);
  const SimDiskState& disk = machine_->state();
  if (const std::optional<NodeNumber> node = disk.find(path)) {
    int error = machine_->begin(*process_, CallKind::open).error;
    if (error == 0 && !disk.is_directory(*node)) error = ENOTDIR;
    machine_->record({CallKind::open, path}, -error);
    if (error != 0) return std::unexpected(SystemError{error});
    return std::make_unique<internal::SimDirectory>(machine_, process_, *node, path);
  }
  const internal::SplitPath parts = internal::split_path(path);
  const std::optional<NodeNumber> parent = disk.find(parts.directory);
  if (!parent || !disk.is_directory(*parent)) {
    const int error = machine_->begin(*process_, CallKind::open).error;
    machine_->record({CallKind::open, path}, -(error != 0 ? error : ENOENT));
    return std::unexpected(SystemError{error != 0 ? error : ENOENT});
  }
  return internal::open_sim_directory(machine_, process_, *parent, parts.name, create, path);
}

SystemResult<void> SimEnv::sync_parent(const std::string& path) {
  const std::lock_guard lock(machine_->mutex);
  const std::optional<std::vector<NodeNumber>> way = machine_->state().walk(path);
  if (!way) {
    const int error = machine_->begin(*process_, CallKind::directory_sync).error;
    return internal::answer(
        machine_->record({CallKind::directory_sync, path}, -(error != 0 ? error : ENOENT)));
  }
  const NodeNumber parent = way->size() < 2 ? internal::kRootNode : (*way)[way->size() - 2];
  return internal::sync_sim_directory(*machine_, *process_, parent, path + "/..");
}

SystemResult<void> SimEnv::remove_directory(const std::string& path) {
  const std::lock_guard lock(machine_->mutex);
  const internal::SplitPath parts = internal::split_path(path);
  const std::optional<NodeNumber> parent = machine_->state().find(parts.directory);
  if (!parent) return std::unexpected(SystemError{ENOENT});
  auto removed = internal::remove_sim_name(*machine_, *process_, *parent, parts.name, path,
                                           internal::SimNameKind::directory);
  if (!removed) return removed;
  return internal::sync_sim_directory(*machine_, *process_, *parent, path + "/..");
}

SystemResult<std::string> SimEnv::resolve(const std::string& path) {
  return std::filesystem::path("/" + path).lexically_normal().string();
}

uint64_t SimEnv::wall_clock_ns() {
  const std::lock_guard lock(machine_->mutex);
  machine_->monotonic_ns += machine_->options.clock_step_ns;
  return machine_->wall_clock_ns += machine_->options.clock_step_ns;
}

uint64_t SimEnv::monotonic_ns() {
  const std::lock_guard lock(machine_->mutex);
  machine_->wall_clock_ns += machine_->options.clock_step_ns;
  return machine_->monotonic_ns += machine_->options.clock_step_ns;
}

SystemResult<void> SimEnv::random(std::span<std::byte> out) {
  const std::lock_guard lock(machine_->mutex);
  const int error = machine_->begin(*process_, CallKind::random).error;
  machine_->record({CallKind::random, {}, 0, out.size()}, -error);
  if (error != 0) return std::unexpected(SystemError{error});
  for (std::byte& byte : out) byte = static_cast<std::byte>(machine_->random.next() & 0xff);
  return {};
}

uint64_t SimEnv::process_id() { return process_->identity.id; }

ProcessIdentity SimEnv::process() { return process_->identity; }

bool SimEnv::is_alive(ProcessIdentity process) {
  const std::lock_guard lock(machine_->mutex);
  return std::ranges::find(machine_->processes, process) != machine_->processes.end();
}

Identifier SimEnv::boot_id() { return machine_->boot_id; }

}  // namespace writeahead::testing
