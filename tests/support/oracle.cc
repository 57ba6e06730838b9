// Each step works on the disk that the step before left after losing all that was undecided.
#include "support/oracle.h"

#include <fmt/format.h>

#include <algorithm>

namespace writeahead::testing {
namespace {

/// What a power cut leaves that loses everything that may be lost.
SimDisk lose_all(SimEnv& env) {
  env.crash_now();
  return env.crashed_disk().crash({});
}

/// Complains of files that differ, but for the control page and perhaps the root.
Complaint compare_files(const SimDisk& before, const SimDisk& after, bool with_root) {
  const auto is_compared = [&](const std::string& path) {
    return !path.ends_with("/control") && (with_root || !path.ends_with("/log.root"));
  };
  std::vector<std::string> paths = before.files();
  std::vector<std::string> paths_after = after.files();
  std::erase_if(paths, [&](const std::string& path) { return !is_compared(path); });
  std::erase_if(paths_after, [&](const std::string& path) { return !is_compared(path); });
  if (paths != paths_after) return "the files are others than before";
  for (const std::string& path : paths) {
    if (before.contents(path) != after.contents(path)) return path + " was changed";
  }
  return {};
}

Complaint check_addresses(const Log& log, const Records& records) {
  if (records.empty()) return {};
  for (const size_t i : {size_t{0}, records.size() / 2, records.size() - 1}) {
    const auto by_number = log.find_ordinal(records[i].ordinal);
    if (!by_number) return describe("find_ordinal()", by_number.error());
    if (*by_number != records[i].lsn) return "find_ordinal() is another record";
    const auto by_time = log.find_time(records[i].time_ns);
    if (!by_time) return describe("find_time()", by_time.error());
    if (*by_time !=
        std::ranges::lower_bound(records, records[i].time_ns, {}, &RecordView::time_ns)->lsn) {
      return "find_time() is another record";
    }
  }
  return {};
}

/// Looks for single records in the ways that do not go through a reader from the beginning.
Complaint check_lookups(const Log& log, const Records& records) {
  if (log.is_empty() != records.empty()) return "is_empty() is wrong";
  if (log.durable_lsn() != log.end_lsn()) return "durable_lsn() is not end_lsn()";
  if (records.empty()) {
    const auto last = log.last();
    return last || last.error().code() != ErrorCode::not_found ? "last() of an empty log" : "";
  }
  const auto last = log.last();
  if (!last) return describe("last()", last.error());
  if (last->lsn != records.back().lsn) return "last() is another record";
  for (const size_t i : {size_t{0}, records.size() / 2, records.size() - 1}) {
    const auto record = log.read(records[i].lsn);
    if (!record) return describe("read()", record.error());
    if (!std::ranges::equal(record->payload, records[i].payload)) return "read() differs";
    const auto lsn = log.find_ordinal(records[i].ordinal);
    if (!lsn) return describe("find_ordinal()", lsn.error());
    if (*lsn != records[i].lsn) return "find_ordinal() is another record";
  }
  return {};
}

}  // namespace

SimEnvOptions Oracle::quiet() const { return workload_.machine(); }

Options Oracle::options(SimEnv& env) const {
  return {.segment_bytes = workload_.segment_bytes,
          .sync_method = workload_.sync_method,
          .standby_segments = 0,
          .frame_alignment = workload_.frame_alignment,
          .env = &env,
          .background = BackgroundWork::stepped};
}

Complaint Oracle::observe(const SimDisk& disk, const LogModel& model, Observed& out) const {
  SimEnv env(disk, quiet());
  auto verified = ReadOnlyLog::verify(kLogPath, {.env = &env});
  auto log = ReadOnlyLog::open(kLogPath, {.env = &env});
  if (verified.has_value() != log.has_value()) {
    return "verify and a read-only open disagree: " +
           std::string(verified ? log.error().message() : verified.error().message());
  }
  if (!log) {
    const bool may_be_missing = log.error().code() == ErrorCode::not_found && model.certain() == 0;
    return may_be_missing ? Complaint() : describe("read-only open", log.error());
  }
  out.is_there = true;
  if (verified->verdict == VerifyReport::Verdict::corruption) {
    const Finding& finding = verified->findings.back();
    return fmt::format("verify: corruption: {} {}: {}", finding.file, finding.offset, finding.what);
  }
  out.has_torn_tail = verified->verdict == VerifyReport::Verdict::torn_tail;
  if (auto wrong = read_all(*log, out.records); !wrong.empty()) return "read-only " + wrong;
  if (auto wrong = model.compare(out.records); !wrong.empty()) return "read-only " + wrong;
  if (verified->records != out.records.size()) return "verify counts other records";
  if (log->durable_lsn() != verified->end_lsn) return "verify finds another end";
  if (!env.disk().shows_same_as(disk)) return "a read-only open wrote to the disk";
  if (disk.undecided_count() == 0) return {};
  // What it served has to be there for good, although it repaired nothing.
  SimEnv next(lose_all(env), quiet());
  next.set_free_bytes(UINT64_MAX);
  auto recovered = Log::open(kLogPath, options(next));
  if (!recovered) return describe("recovery after a read-only open", recovered.error());
  Records kept;
  if (auto wrong = read_all(*recovered, kept); !wrong.empty()) return wrong;
  // Where direct reads are refused it may have shown bytes that only the cache has, after a failed
  // write of this boot: what was never acknowledged may go then, and a reader cannot write it
  // again.
  // So may a truncation or a trim, whose root was not written.
  if (workload_.refuses_direct && model.is_bound_uncertain()) return model.compare(kept);
  Records served = out.records;
  if (workload_.refuses_direct && kept.size() < served.size()) {
    served.resize(std::max(kept.size(), model.certain() - model.first()));
  }
  auto wrong = compare_readings(served, kept);
  return wrong.empty() ? wrong : "recovered after a read-only open: " + wrong;
}

Complaint Oracle::recover(const SimDisk& disk, LogModel& model, const Observed& observed,
                          Records& kept, SimDisk& left) const {
  SimEnv env(disk, quiet());
  auto log = Log::open(kLogPath, options(env));
  const uint64_t most_needed = workload_.segment_bytes + 4 * kBlockBytes;
  if (!log && log.error().code() == ErrorCode::no_space && env.free_bytes() < most_needed) {
    // Nothing to save a torn tail in, perhaps beside copies of recoveries that were cut. It must
    // have left all as it was.
    const Complaint changed = compare_files(disk, env.disk(), true);
    if (model.epoch() > 0 && !changed.empty()) return "an opening without space: " + changed;
    env.set_free_bytes(UINT64_MAX);
    log = Log::open(kLogPath, options(env));
  }
  if (!log) return describe("recovery", log.error());
  env.set_free_bytes(UINT64_MAX);
  const RecoveryReport& report = log->recovery_report();
  if (auto wrong = model.take_epoch(log->epoch()); !wrong.empty()) return wrong;
  if (auto wrong = read_all(*log, kept); !wrong.empty()) return wrong;
  if (auto wrong = model.compare(kept); !wrong.empty()) return wrong;
  if (report.records != kept.size()) return "the report counts other records";
  if (report.end_lsn != log->end_lsn()) return "the report says another end";
  const bool is_cut = report.outcome == RecoveryReport::Outcome::torn_tail;
  if (is_cut != observed.has_torn_tail) return "verify and recovery disagree on the tail";
  if (observed.is_there) {
    if (auto wrong = compare_readings(observed.records, kept); !wrong.empty()) {
      return "read-only and recovered: " + wrong;
    }
  }
  if (is_cut && !env.disk().contents(report.copy_path)) return "the cut bytes were not saved";
  if (auto wrong = model.settle(kept); !wrong.empty()) return wrong;
  left = lose_all(env);
  return {};
}

Complaint Oracle::recover_again(const SimDisk& disk, LogModel& model, const Records& kept,
                                size_t next_size, SimDisk& left) const {
  SimEnv env(disk, quiet());
  auto log = Log::open(kLogPath, options(env));
  if (!log) return describe("second recovery", log.error());
  const RecoveryReport& report = log->recovery_report();
  if (auto wrong = model.take_epoch(log->epoch()); !wrong.empty()) return wrong;
  // Zeros of the first one whose sync had failed, and that only the page cache showed it.
  const bool may_cut_again = names_ == Names::may_return && !log->stats().recovery_reads_device &&
                             report.outcome == RecoveryReport::Outcome::torn_tail;
  if (report.outcome != RecoveryReport::Outcome::unclean && !may_cut_again) {
    return fmt::format("a second recovery has outcome {}", static_cast<int>(report.outcome));
  }
  if (report.root_slot_was_bad) return "a second recovery finds a bad root slot";
  Records again;
  if (auto wrong = read_all(*log, again); !wrong.empty()) return "second recovery: " + wrong;
  if (auto wrong = compare_readings(kept, again); !wrong.empty()) {
    return "second recovery: " + wrong;
  }
  const Complaint changed = compare_files(disk, env.disk(), false);
  if (names_ == Names::are_certain && !changed.empty()) return "second recovery: " + changed;

  const Bytes single(next_size, std::byte{0xa5});
  const std::vector<Bytes> batch = {Bytes(40, std::byte{0x5a}), Bytes(0), Bytes(9, std::byte{1})};
  model.submit({single}, 7);
  auto lsn = log->append(single, {.type = 7});
  if (!lsn) return describe("append after recovery", lsn.error());
  const size_t ordinal = model.records().size() - 1;
  if (auto wrong = model.acknowledge({{*lsn}}, ordinal); !wrong.empty()) return wrong;
  model.submit(batch, 8);
  Batch collected;
  for (const Bytes& payload : batch) collected.add(payload, {.type = 8});
  auto range = log->append(collected);
  if (!range) return describe("batch after recovery", range.error());
  const std::vector<Lsn> lsns = {collected.lsn(0, *range), collected.lsn(1, *range),
                                 collected.lsn(2, *range)};
  if (auto wrong = model.acknowledge(lsns, range->first_ordinal); !wrong.empty()) return wrong;
  left = lose_all(env);
  return {};
}

Complaint Oracle::read_back(const SimDisk& disk, LogModel& model) const {
  SimEnv env(disk, quiet());
  Records first;
  {
    auto log = Log::open(kLogPath, options(env));
    if (!log) return describe("third recovery", log.error());
    if (auto wrong = model.take_epoch(log->epoch()); !wrong.empty()) return wrong;
    if (auto wrong = read_all(*log, first); !wrong.empty()) return "third recovery: " + wrong;
    if (auto wrong = model.compare(first); !wrong.empty()) return "third recovery: " + wrong;
    if (auto wrong = check_lookups(*log, first); !wrong.empty()) return wrong;
    if (auto closed = log->close(); !closed) return describe("close", closed.error());
  }
  if (auto wrong = check_names(env.disk()); !wrong.empty()) return wrong;
  auto log = Log::open(kLogPath, options(env));
  if (!log) return describe("opening after close", log.error());
  if (auto wrong = model.take_epoch(log->epoch()); !wrong.empty()) return wrong;
  if (log->recovery_report().outcome != RecoveryReport::Outcome::clean) {
    return "a closed log does not open as clean";
  }
  // By the seals, before anything was read.
  if (auto wrong = check_addresses(*log, first); !wrong.empty()) return "after close: " + wrong;
  Records second;
  if (auto wrong = read_all(*log, second); !wrong.empty()) return "after close: " + wrong;
  return compare_readings(first, second);
}

Complaint Oracle::judge(const SimDisk& disk, const LogModel& submitted) const {
  Observed observed;
  if (auto wrong = observe(disk, submitted, observed); !wrong.empty()) return wrong;
  LogModel model = submitted;
  Records kept;
  SimDisk left;
  if (auto wrong = recover(disk, model, observed, kept, left); !wrong.empty()) return wrong;
  // A record as long as the first that was dropped: what lay behind that one stays aligned.
  const std::vector<ModelRecord>& all = submitted.records();
  const size_t end = model.records().size();
  const size_t next_size = all.size() > end ? all[end].payload.size() : 100;
  SimDisk last;
  if (auto wrong = recover_again(left, model, kept, next_size, last); !wrong.empty()) return wrong;
  return read_back(last, model);
}

}  // namespace writeahead::testing
