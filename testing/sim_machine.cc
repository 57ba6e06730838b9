// SimMachine: stopping, and the trace.
#include "sim_machine.h"

#include <cerrno>
#include <utility>

namespace writeahead::testing::internal {
namespace {

/// 16 bytes that follow from a number.
Identifier make_identifier(uint64_t number) {
  SimRandom random(number);
  Identifier identifier{};
  for (std::byte& byte : identifier) byte = static_cast<std::byte>(random.next() & 0xff);
  return identifier;
}

}  // namespace

const int SimMachine::kStoppedError = EIO;

SimMachine::SimMachine(SimDisk initial, const SimEnvOptions& given)
    : options(given),
      disk(std::move(initial)),
      random(given.seed ^ (disk.boots() << 32)),
      boot_id(given.boot_id.value_or(make_identifier(disk.boots()))),
      wall_clock_ns(given.wall_clock_ns),
      monotonic_ns(given.monotonic_ns) {}

int64_t SimMachine::record(Call call, int64_t result) {
  if (options.trace_calls == 0) return result;
  if (trace_.size() >= options.trace_calls) trace_.pop_front();
  trace_.push_back({faults.calls(), std::move(call), result});
  return result;
}

std::string SimMachine::trace() const {
  std::string text;
  for (const TracedCall& traced : trace_) {
    text += std::to_string(traced.number) + ' ' + std::string(to_string(traced.call.kind)) + ' ' +
            traced.call.path + " offset=" + std::to_string(traced.call.offset) +
            " length=" + std::to_string(traced.call.length) + " -> " +
            std::to_string(traced.result) + '\n';
  }
  return text;
}

SimDisk SimMachine::disk_in_flight(const InFlightEffect& effect) const {
  SimDisk copy = disk;
  for (const HeldWrite* held : held_writes) held->effect(copy.state(), SIZE_MAX);
  if (effect) effect(copy.state(), SIZE_MAX);
  return copy;
}

void SimMachine::stop(InFlightEffect effect) {
  if (is_stopped) return;
  killed_disk = disk;
  power_cut_disk = disk_in_flight(effect);
  stopped_effect = std::move(effect);
  is_stopped = true;
  changed.notify_all();
}

std::shared_ptr<SimProcess> SimMachine::start_process(uint64_t id) {
  // Unlike the number, the start time is never given twice, not even after a restart.
  processes.push_back({.id = id, .start_time = ++state().processes});
  return std::make_shared<SimProcess>(SimProcess{.identity = processes.back()});
}

}  // namespace writeahead::testing::internal
