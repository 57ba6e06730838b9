// Script: a course of calls of a log on a simulated machine, that can be cut short anywhere.
//
// It runs the public interface, keeps a LogModel of what was submitted and acknowledged, and notes
// complaints as they come up. The same workload gives the same calls every time, so that
// Interference can name one by its number. Calls are numbered through all boots of one run.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "support/log_model.h"
#include "support/log_path.h"
#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {

/// A call that fails.
struct Fault {
  uint64_t k = 0;  ///< 1 is the first call of the run, or of its kind.
  int error = 0;
  FaultSpan span = FaultSpan::once;
  std::optional<CallKind> kind = std::nullopt;
};

/// What happens to a run from outside.
struct Interference {
  uint64_t crash_at = 0;  ///< The machine stops for good at this call; 0: never.
  std::optional<Fault> fault = std::nullopt;
  size_t transfer_limit = SIZE_MAX;
  std::optional<std::pair<uint64_t, size_t>> short_transfer = std::nullopt;  ///< {k, bytes}
  uint64_t free_bytes = UINT64_MAX;                                          ///< At the first boot.
  /// Puts another Env between log and machine.
  std::function<std::unique_ptr<Env>(Env&)> wrap = nullptr;
  size_t trace_calls = 0;
};

/// Whether a closed log's directory holds nothing but its files.
[[nodiscard]] Complaint check_names(const SimDisk& disk);

class Script;

/// A named course of calls.
struct Workload {
  std::string name;
  uint64_t segment_bytes = 8192;
  std::function<void(Script&)> steps;
  SyncMethod sync_method = SyncMethod::automatic;
  bool refuses_direct = false;
  size_t sector_bytes = 512;
  uint32_t frame_alignment = 0;
  /// Changes the options further.
  std::function<void(Options&)> adjust = nullptr;

  /// The machine that it runs on; where frames have sectors of their own, they can be written so.
  [[nodiscard]] SimEnvOptions machine(size_t trace_calls = 0) const {
    return {.refuses_direct = refuses_direct,
            .direct_bytes = frame_alignment == 0 ? kBlockBytes : frame_alignment,
            .trace_calls = trace_calls};
  }
};

/// For the messages of the test framework.
inline void PrintTo(const Workload& workload, std::ostream* out) { *out << workload.name; }

/// Once the machine has stopped at Interference::crash_at, every step does nothing.
class Script {
 public:
  Script(const Workload& workload, Interference interference);
  /// Goes on where `before` has ended: after its close, or after a power cut that lost all.
  Script(const Workload& workload, Interference interference, const Script& before);
  Script(const Script&) = delete;
  Script& operator=(const Script&) = delete;
  ~Script();

  // Steps.

  /// Opens the log, compares all of it with the model, and settles the model.
  void open();
  void close();
  /// One append with a record of each size, bytes by chance; a single one is no batch.
  void append(const std::vector<size_t>& sizes);
  void append_payloads(const std::vector<Bytes>& payloads);
  /// One record of a lower level; and everything made durable.
  void append_at(Durability durability, size_t size);
  void sync();
  /// One record with a callback, and background work until that was called.
  void append_async(size_t size);
  /// An append that has to be refused, with this code and without effect.
  void append_refused(const std::vector<Bytes>& payloads, ErrorCode code);
  /// Trims below the record with this number, if its address is known; nothing above the last.
  void trim(size_t ordinal);
  /// Truncates at the record with this number, likewise.
  void truncate(size_t ordinal);
  /// Makes a hold for `name` at the record with this number, or moves it.
  void hold(const std::string& name, size_t ordinal);
  /// Background work until none is left.
  void step_background();
  /// The same of a log with limits: they have to drop all records below this number, and no others.
  void obey_limits(size_t first);
  /// One record that the quota has no room for.
  void append_over_quota(size_t size);
  /// The same without waiting, tried again when the records below this number were trimmed.
  void append_when_trimmed(size_t size, size_t ordinal);
  void advance_seconds(uint64_t seconds);
  void set_free_bytes(uint64_t bytes);
  /// Stops the machine; the next boot finds the disk with those undecided items kept.
  using Keep = std::function<bool(size_t index, const Undecided& item)>;
  void cut_power(const Keep& keep, LostBytes lost = LostBytes::old);
  /// The same, in the middle of an append: in the call that follows its first `skipped` calls.
  void cut_power_in_append(const std::vector<size_t>& sizes, const Keep& keep,
                           LostBytes lost = LostBytes::old, uint64_t skipped = 0);
  /// Ends the process alone, in the first write of an append, of which so many bytes were written.
  void kill_in_append(const std::vector<size_t>& sizes, size_t bytes);

  // What came of it.

  [[nodiscard]] const Workload& workload() const { return workload_; }
  [[nodiscard]] SimEnv& machine() { return *machine_; }
  [[nodiscard]] Options options();
  [[nodiscard]] const LogModel& model() const { return model_; }
  [[nodiscard]] const Complaint& complaint() const { return complaint_; }
  /// Calls of all boots.
  [[nodiscard]] uint64_t calls() const;
  /// Reads and writes of all boots, and how many of them fell short by Interference.
  [[nodiscard]] uint64_t transfers() const;
  [[nodiscard]] uint64_t short_transfers() const;
  /// Whether an append or a close failed for another cause than a shortage or a stop.
  [[nodiscard]] bool has_failed() const { return has_failed_; }
  /// Ends the run without closing the log: as if the process went on to hang.
  void stop();

 private:
  void boot(SimDisk disk);
  void interfere();
  [[nodiscard]] bool is_over() const;
  /// Whether calls may fail by Interference.
  [[nodiscard]] bool is_disturbed() const;
  /// Whether it is known which appends found room.
  [[nodiscard]] bool is_predictable() const;
  void settle_trim();
  void settle_async(const std::optional<Result<Lsn>>& answer, uint64_t ordinal);
  [[nodiscard]] bool stop_in_append(const std::vector<size_t>& sizes, uint64_t skipped);
  void reboot_after(const Keep& keep, LostBytes lost);
  void complain(Complaint complaint);
  void settle_failure(const Error& error);
  void check_reads();
  void check_unsynced(Lsn lsn, const Bytes& payload);
  [[nodiscard]] std::optional<Lsn> address_of(size_t ordinal) const;
  [[nodiscard]] std::vector<Bytes> make_payloads(const std::vector<size_t>& sizes);

  const Workload& workload_;
  const Interference interference_;
  LogModel model_;
  Complaint complaint_;
  std::unique_ptr<SimEnv> machine_;
  std::unique_ptr<Env> wrapped_;
  std::optional<Log> log_;
  uint64_t calls_before_ = 0;                        // Of earlier boots.
  std::array<uint64_t, kCallKinds> kinds_before_{};  // The same by kind.
  uint64_t short_before_ = 0;
  uint64_t payloads_made_ = 0;
  bool was_killed_ = false;  // And the machine was not stopped since.
  bool is_log_failed_ = false;
  bool has_failed_ = false;
};

}  // namespace writeahead::testing
