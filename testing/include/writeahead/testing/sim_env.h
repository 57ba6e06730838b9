// SimEnv: a simulated machine on which the real code runs: an Env over a SimDisk.
//
// It can stop at any call, fail any call, and shorten any transfer. A test runs a script once to
// count its calls, then once for each k with crash_at(k), and recovers from every disk that
// CrashSampler makes of crashed_disk(). Nothing here depends on time or chance but by seeds.
//
//   SimEnv env(SimDisk{});
//   env.crash_at(k);
//   run_script(env);                                  // Stops getting anything done at call k.
//   CrashSampler().each(env.crashed_disk(), [&](SimDisk disk, const CrashPlan& plan) {
//     SimEnv next(std::move(disk));
//     return recovers_well(next) || (print(plan, env.trace()), false);
//   });
//
// Where the model is simpler than Linux: memory of a mapping takes file writes in, but what is
// stored through it is not read by read_at(), does not survive, and does not pass between it and a
// larger mapping that is made later; behind the end of a file it shows zeros; a lock never outlives
// its open file; removed files that are still open take no space; background write-back does not
// happen by itself (a crash may decide that it did).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "writeahead/env.h"
#include "writeahead/testing/sim_call.h"
#include "writeahead/testing/sim_disk.h"

namespace writeahead::testing {

namespace internal {
class SimMachine;
struct SimProcess;
}  // namespace internal

/// What is fixed when a SimEnv is made.
struct SimEnvOptions {
  uint64_t seed = 1;           ///< Of random(), together with the number of boots.
  uint64_t process_id = 1000;  ///< Of the first process.
  /// By default made from SimDisk::boots(): new after a power cut, the same after a process kill.
  std::optional<Identifier> boot_id = std::nullopt;
  bool refuses_direct = false;        ///< Direct opens fail with EINVAL, as on some file systems.
  size_t direct_bytes = kBlockBytes;  ///< Direct transfers have to be aligned to it. What a write
                                      ///< tears is a sector of the disk, whatever this says.
  uint64_t wall_clock_ns = 1'700'000'000'000'000'000;
  uint64_t monotonic_ns = 1'000'000'000;
  uint64_t clock_step_ns = 1'000;  ///< Both clocks advance by it at each look at either.
  size_t trace_calls = 1'000;      ///< How many of the last calls trace() shows.
};

/// See the file's head. Thread-safe. Files and directories may outlive it.
class SimEnv final : public Env {
 public:
  explicit SimEnv(SimDisk disk, SimEnvOptions options = {});
  ~SimEnv() override;

  /// Another process on the same machine: same disk, locks, clocks, counters and faults. It counts
  /// as alive until destroyed; its files must be destroyed by the caller.
  [[nodiscard]] std::unique_ptr<SimEnv> another_process(uint64_t process_id);
  /// Kills this process between two calls: it is not alive, its locks are given back, its waits end
  /// and its held writes are lost; each later call of it, through its files and directories too,
  /// fails with EIO and changes nothing. What it did before stays. The machine runs on.
  void kill();

  // The disk.

  /// A copy of the disk now; writes that are held in flight are on it as pending.
  [[nodiscard]] SimDisk disk() const;
  /// Space that is left; UINT64_MAX without a limit. Overwriting blocks that were written is free.
  [[nodiscard]] uint64_t free_bytes() const;
  /// Limits the space. Whole blocks count. A write that finds no room is cut short, then ENOSPC.
  void set_free_bytes(uint64_t bytes);

  // Counting.

  /// Counted calls so far, of all processes.
  [[nodiscard]] uint64_t calls() const;
  [[nodiscard]] uint64_t calls(CallKind kind) const;

  // Crashing.

  /// Stops the machine at the call with this number (the first is 1), in the middle of it: that
  /// call may or may not have had its effect, a write any part of it. This and all later calls fail
  /// with EIO and change nothing.
  void crash_at(uint64_t call);
  /// At each call from now on, tells its number and the disk that crash_at() of this call would
  /// leave in crashed_disk(): all crashes of a course from one run of it. Runs inside of the call,
  /// and must not call the machine. Nothing ends the watch.
  void watch_crashes(std::function<void(uint64_t call, SimDisk disk)> watch);
  /// Stops it now, between two calls (and within the writes that are held).
  void crash_now();
  [[nodiscard]] bool crashed() const;
  /// The disk at the moment of the crash, everything in flight on it as undecided: for a power cut,
  /// give it to SimDisk::crash() or CrashSampler. Before a crash the same as disk().
  [[nodiscard]] SimDisk crashed_disk() const;
  /// The disk if only the process was killed: all completed calls had their effect, and the call in
  /// flight, if a write, that of its first `bytes` bytes; if another, its effect unless `bytes` is
  /// 0. What was not durable still is not. Of writes held in flight nothing is on it.
  [[nodiscard]] SimDisk killed_disk(size_t bytes = 0) const;

  // Failing.

  /// Makes the k-th call (1 is the first since the start; with `kind` only that kind counts) fail.
  /// A failed write may have written any part of its range (but EINTR: none); a failed sync loses
  /// what was pending, see SimDisk; other calls have no effect. `error` is an errno.
  void fail_call(uint64_t k, int error, FaultSpan span = FaultSpan::once,
                 std::optional<CallKind> kind = std::nullopt);
  /// Makes the k-th among all reads and writes transfer at most so many bytes. With 0 only a write:
  /// a read of nothing says that the file ends.
  void short_transfer(uint64_t k, size_t bytes);
  /// Makes each read and write transfer at most so many bytes; SIZE_MAX: no limit.
  void limit_transfers(size_t bytes);
  /// How many transfers moved so many bytes as their limit, and were asked for more.
  [[nodiscard]] uint64_t short_transfers() const;
  /// Forgets all faults, limits of transfers and a crash that has not happened yet.
  void clear_faults();

  // Writes in flight together.

  /// While set, a write that would succeed waits in flight until it is released. Then several
  /// threads' writes are in flight at once and the test decides their order: that of release.
  void hold_writes(bool is_held);
  /// Waits until so many writes are held; false if that took longer than ten seconds.
  [[nodiscard]] bool wait_for_held_writes(size_t count);
  /// Lets the held write with this index (0 began first) complete, and waits until it has.
  void release_write(size_t index);

  // Waits for words of mapped files. They take real time, by whatever time-out the code gives.

  /// No wait has a shorter time-out: so a test can tell who is woken from who polls. 0 at first.
  void set_shortest_wait_ns(uint64_t ns);

  /// Waits until so many threads are in MappedRegion::wait, asleep; false if that took longer than
  /// ten seconds.
  [[nodiscard]] bool wait_for_waiters(size_t count);
  /// How many calls of MappedRegion::wait ended by their time-out, in all processes.
  [[nodiscard]] uint64_t timed_out_waits() const;

  // The rest of the machine.

  void advance_ns(uint64_t ns);         ///< Both clocks.
  void set_wall_clock_ns(uint64_t ns);  ///< May go back.
  [[nodiscard]] uint64_t seed() const;  ///< For messages.
  /// The last calls, one a line: `12 write /log/1.wal offset=4096 length=512 -> 512`.
  [[nodiscard]] std::string trace() const;

  SystemResult<std::unique_ptr<Directory>> open_directory(const std::string& path, bool create,
                                                          uint32_t mode) override;
  SystemResult<void> sync_parent(const std::string& path) override;
  SystemResult<void> remove_directory(const std::string& path) override;
  /// There are no links here, and paths begin at the root. Not a counted call.
  SystemResult<std::string> resolve(const std::string& path) override;
  uint64_t wall_clock_ns() override;
  uint64_t monotonic_ns() override;
  SystemResult<void> random(std::span<std::byte> out) override;
  uint64_t process_id() override;
  ProcessIdentity process() override;
  bool is_alive(ProcessIdentity process) override;
  Identifier boot_id() override;

 private:
  SimEnv(std::shared_ptr<internal::SimMachine> machine,
         std::shared_ptr<internal::SimProcess> process);

  std::shared_ptr<internal::SimMachine> machine_;
  std::shared_ptr<internal::SimProcess> process_;
};

}  // namespace writeahead::testing
