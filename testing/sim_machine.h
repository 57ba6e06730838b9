// SimMachine: what the processes of a simulated machine share: disk, open files, locks, mappings,
// clocks, and the rules by which calls are counted, failed and stopped.
//
// One mutex guards all of it. Handles (SimFile, SimDirectory) hold the machine alive.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "sim_disk_state.h"
#include "sim_faults.h"
#include "sim_locks.h"
#include "sim_mapping.h"
#include "sim_random.h"
#include "writeahead/env.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing::internal {

class SimFile;

/// The effect of a call that a crash met in flight, on a disk: of its first `bytes` bytes.
using InFlightEffect = std::function<void(SimDiskState& disk, size_t bytes)>;

/// A process of the machine. Its files, directories and mappings hold it.
struct SimProcess {
  const ProcessIdentity identity;
  bool is_killed = false;
};

/// A write that waits in flight, see SimEnv::hold_writes.
struct HeldWrite {
  uint64_t number = 0;
  InFlightEffect effect;
  bool is_released = false;
};

/// Everything but begin(), record() and stop() is plain state. Members are used with `mutex` held.
class SimMachine {
 public:
  /// A call for the trace.
  struct Call {
    CallKind kind;
    std::string path;
    uint64_t offset = 0;
    uint64_t length = 0;
  };

  SimMachine(SimDisk initial, const SimEnvOptions& given);

  /// Counts a call. With `stops_machine`, after a stop, or by a process that was killed, its error
  /// is EIO and it must change nothing; make_effect() is called only at the stop, for what the call
  /// would have done.
  template <class MakeEffect>
  SimFaults::Verdict begin(const SimProcess& process, CallKind kind, MakeEffect make_effect) {
    SimFaults::Verdict verdict = is_over(process) ? SimFaults::Verdict() : faults.count(kind);
    if (verdict.stops_machine) stop(make_effect());
    if (crash_watch && !is_over(process))
      crash_watch(faults.calls(), disk_in_flight(make_effect()));
    if (is_over(process)) verdict = {.stops_machine = true, .error = kStoppedError, .transfer = 0};
    return verdict;
  }
  SimFaults::Verdict begin(const SimProcess& process, CallKind kind) {
    return begin(process, kind, [] { return InFlightEffect(); });
  }

  /// Writes the call into the trace; `result` is a count, or an errno below 0. Returns `result`.
  int64_t record(Call call, int64_t result);
  [[nodiscard]] std::string trace() const;

  void stop(InFlightEffect effect);
  /// The disk with all that is held in flight, and this effect, as pending.
  [[nodiscard]] SimDisk disk_in_flight(const InFlightEffect& effect = {}) const;

  [[nodiscard]] SimDiskState& state() { return disk.state(); }
  /// Whether nothing that the process does has an effect any more.
  [[nodiscard]] bool is_over(const SimProcess& process) const {
    return is_stopped || process.is_killed;
  }
  [[nodiscard]] std::shared_ptr<SimProcess> start_process(uint64_t id);

  static const int kStoppedError;

  std::mutex mutex;
  std::condition_variable changed;
  const SimEnvOptions options;
  SimDisk disk;
  SimFaults faults;
  std::vector<SimFile*> open_files;
  SimLocks locks;
  SimMemories memories;
  std::vector<SimWaiter*> waiters;
  uint64_t timed_out_waits = 0;
  uint64_t short_transfers = 0;
  uint64_t shortest_wait_ns = 0;
  std::vector<ProcessIdentity> processes;
  SimRandom random;
  Identifier boot_id{};
  uint64_t wall_clock_ns;
  uint64_t monotonic_ns;
  bool holds_writes = false;
  std::deque<HeldWrite*> held_writes;
  uint64_t next_held_write = 0;

  bool is_stopped = false;
  std::function<void(uint64_t call, SimDisk disk)> crash_watch;
  std::optional<SimDisk> power_cut_disk;  // At the stop, with what was in flight.
  std::optional<SimDisk> killed_disk;     // At the stop, without.
  InFlightEffect stopped_effect;

 private:
  struct TracedCall {
    uint64_t number;
    Call call;
    int64_t result;
  };
  std::deque<TracedCall> trace_;
};

}  // namespace writeahead::testing::internal
