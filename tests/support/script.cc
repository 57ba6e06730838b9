// The steps of a script and what each of them demands of the log.
#include "support/script.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace writeahead::testing {
namespace {

std::vector<Lsn> lsns_of(const Batch& batch, const Appended& range) {
  std::vector<Lsn> lsns(batch.size());
  for (size_t i = 0; i < lsns.size(); ++i) lsns[i] = batch.lsn(i, range);
  return lsns;
}

}  // namespace

Complaint check_names(const SimDisk& disk) {
  const auto names = disk.names(kLogPath);
  if (!names) return "the directory is gone";
  for (const std::string& name : *names) {
    if (name == "log.root" || name == "control" || name == "torn") continue;
    if (!name.ends_with(".wal")) return "close left the file " + name;
  }
  return {};
}

Script::Script(const Workload& workload, Interference interference)
    : workload_(workload), interference_(std::move(interference)) {
  boot(SimDisk(workload_.sector_bytes));
  if (interference_.free_bytes != UINT64_MAX) machine_->set_free_bytes(interference_.free_bytes);
  workload_.steps(*this);
}

Script::Script(const Workload& workload, Interference interference, const Script& before)
    : workload_(workload),
      interference_(std::move(interference)),
      model_(before.model_),
      payloads_made_(before.payloads_made_) {
  boot(before.machine_->crashed_disk().crash({}));
  workload_.steps(*this);
}

Script::~Script() { stop(); }

void Script::stop() {
  machine_->crash_now();
  log_.reset();
}

void Script::boot(SimDisk disk) {
  was_killed_ = false;
  // The clocks begin anew: after each boot the wall clock has gone back.
  const SimEnvOptions options = workload_.machine(interference_.trace_calls);
  log_.reset();
  wrapped_.reset();
  if (machine_ != nullptr) {
    calls_before_ += machine_->calls();
    short_before_ += machine_->short_transfers();
    for (size_t i = 0; i < kCallKinds; ++i) {
      kinds_before_[i] += machine_->calls(static_cast<CallKind>(i));
    }
  }
  machine_ = std::make_unique<SimEnv>(std::move(disk), options);
  if (interference_.wrap) wrapped_ = interference_.wrap(*machine_);
  interfere();
}

/// Translates the numbers of calls of the run into those of this boot.
void Script::interfere() {
  machine_->clear_faults();
  if (interference_.crash_at > calls_before_) {
    machine_->crash_at(interference_.crash_at - calls_before_);
  }
  machine_->limit_transfers(interference_.transfer_limit);
  if (interference_.short_transfer) {
    const auto [k, bytes] = *interference_.short_transfer;
    const uint64_t before = transfers();  // The new machine has made none.
    if (k > before) machine_->short_transfer(k - before, bytes);
  }
  if (!interference_.fault) return;
  const Fault& fault = *interference_.fault;
  const uint64_t before =
      fault.kind ? kinds_before_[static_cast<size_t>(*fault.kind)] : calls_before_;
  if (fault.k > before) {
    machine_->fail_call(fault.k - before, fault.error, fault.span, fault.kind);
  } else if (fault.span == FaultSpan::for_ever) {
    machine_->fail_call(1, fault.error, fault.span, fault.kind);
  }
}

bool Script::is_disturbed() const {
  return interference_.fault || interference_.short_transfer ||
         interference_.transfer_limit != SIZE_MAX;
}

bool Script::is_predictable() const {
  return !is_over() && !is_disturbed() && interference_.free_bytes == UINT64_MAX;
}

bool Script::is_over() const { return machine_->crashed(); }

uint64_t Script::calls() const { return calls_before_ + machine_->calls(); }

uint64_t Script::transfers() const {
  uint64_t count = 0;
  for (const CallKind kind : {CallKind::read, CallKind::write, CallKind::dsync_write}) {
    count += kinds_before_[static_cast<size_t>(kind)] + machine_->calls(kind);
  }
  return count;
}

uint64_t Script::short_transfers() const { return short_before_ + machine_->short_transfers(); }

void Script::complain(Complaint complaint) {
  if (complaint_.empty()) complaint_ = std::move(complaint);
}

Options Script::options() {
  Options options{.max_record_bytes = 1ULL << 20,
                  .segment_bytes = workload_.segment_bytes,
                  .sync_method = workload_.sync_method,
                  .standby_segments = 1,
                  .frame_alignment = workload_.frame_alignment,
                  .env = wrapped_ != nullptr ? wrapped_.get() : machine_.get(),
                  .background = BackgroundWork::stepped};
  if (workload_.adjust) workload_.adjust(options);
  return options;
}

void Script::open() {
  if (is_over()) return;
  log_.reset();
  is_log_failed_ = false;
  auto opened = Log::open(kLogPath, options());
  if (is_over() && !opened) return;
  if (!opened) {
    has_failed_ = true;
    const ErrorCode code = opened.error().code();
    // A lock that is refused with this error is somebody else's.
    const bool may_be_locked = interference_.fault && interference_.fault->error == EWOULDBLOCK;
    if (code != ErrorCode::io && code != ErrorCode::no_space &&
        !(code == ErrorCode::locked && may_be_locked)) {
      complain(describe("open", opened.error()));
    }
    return;
  }
  log_.emplace(std::move(*opened));
  // The kernel lived on until here.
  if (std::exchange(was_killed_, false)) model_.lose_process();
  complain(model_.take_epoch(log_->epoch()));
  const uint64_t records = log_->recovery_report().records;
  Records seen;
  // A log that cannot be read for now says at least how much it holds.
  const bool is_readable = read_all(*log_, seen).empty() && seen.size() == records;
  complain(is_readable ? model_.settle(seen) : model_.settle(records));
  check_reads();
}

void Script::check_reads() {
  Records seen;
  const Complaint unreadable = read_all(*log_, seen);
  if (is_over() || (is_disturbed() && unreadable.contains(": io: "))) return;
  complain(unreadable);
  if (unreadable.empty()) complain(model_.compare(seen));
}

void Script::close() {
  if (is_over() || !log_) return;
  if (auto closed = log_->close(); !closed && !is_over()) has_failed_ = true;
  log_.reset();
  if (!is_over()) complain(check_names(machine_->disk()));
}

std::vector<Bytes> Script::make_payloads(const std::vector<size_t>& sizes) {
  std::vector<Bytes> payloads;
  for (const size_t size : sizes) {
    uint64_t state = ++payloads_made_ * 0x9e3779b97f4a7c15;
    Bytes payload(size);
    for (std::byte& byte : payload) {
      state = state * 6364136223846793005 + 1442695040888963407;
      byte = static_cast<std::byte>(state >> 56);
    }
    payloads.push_back(std::move(payload));
  }
  return payloads;
}

void Script::append(const std::vector<size_t>& sizes) { append_payloads(make_payloads(sizes)); }

void Script::append_payloads(const std::vector<Bytes>& payloads) {
  if (is_over() || !log_) return;
  const auto type = static_cast<uint16_t>(model_.records().size());
  model_.submit(payloads, type);
  const uint64_t ordinal = model_.records().size() - payloads.size();
  if (payloads.size() == 1) {
    auto lsn = log_->append(payloads[0], {.type = type});
    if (!lsn) return settle_failure(lsn.error());
    if (is_log_failed_) complain("an append succeeded on a failed log");
    complain(model_.acknowledge({{*lsn}}, ordinal));
  } else {
    Batch batch;
    for (const Bytes& payload : payloads) batch.add(payload, {.type = type});
    auto range = log_->append(batch);
    if (!range) return settle_failure(range.error());
    if (is_log_failed_) complain("an append succeeded on a failed log");
    complain(model_.acknowledge(lsns_of(batch, *range), range->first_ordinal));
  }
}

void Script::append_at(Durability durability, size_t size) {
  if (is_over() || !log_) return;
  const auto payloads = make_payloads({size});
  const auto type = static_cast<uint16_t>(model_.records().size());
  const uint64_t ordinal = model_.records().size();
  model_.submit(payloads, type);
  auto lsn = log_->append(payloads[0], {.type = type, .durability = durability});
  if (!lsn) return settle_failure(lsn.error());
  if (is_log_failed_) complain("an append succeeded on a failed log");
  complain(model_.place({{*lsn}}, ordinal, durability == Durability::written));
  if (durability == Durability::written) check_unsynced(*lsn, payloads[0]);
}

void Script::check_unsynced(Lsn lsn, const Bytes& payload) {
  Reader reader = log_->reader(lsn, {.include_unsynced = true});
  const auto record = reader.next();
  if (is_over()) return;
  if (!record) return complain("a written record is not shown");
  if (*record) {
    if (!std::ranges::equal((*record)->payload, payload)) complain("a written record differs");
  } else if (!is_disturbed() || record->error().code() != ErrorCode::io) {
    complain(describe("read a written record", record->error()));
  }
}

void Script::sync() {
  if (is_over() || !log_) return;
  auto synced = log_->sync();
  if (is_over()) return;
  if (synced) {
    if (is_log_failed_) complain("a sync succeeded on a failed log");
    return model_.make_certain();
  }
  has_failed_ = is_log_failed_ = true;
  if (synced.error().code() != ErrorCode::failed) complain(describe("sync", synced.error()));
}

void Script::append_async(size_t size) {
  if (is_over() || !log_) return;
  const auto payloads = make_payloads({size});
  const auto type = static_cast<uint16_t>(model_.records().size());
  const uint64_t ordinal = model_.records().size();
  model_.submit(payloads, type);
  std::optional<Result<Lsn>> answer;
  log_->append_async(payloads[0], {.type = type}, [&](Result<Lsn> lsn) { answer = lsn; });
  while (!answer && log_->step_background()) {
  }
  settle_async(answer, ordinal);
}

void Script::settle_async(const std::optional<Result<Lsn>>& answer, uint64_t ordinal) {
  if (!answer) return complain("an async append was not answered");
  if (!*answer) return settle_failure(answer->error());
  if (is_log_failed_) complain("an append succeeded on a failed log");
  complain(model_.acknowledge({{**answer}}, ordinal));
}

void Script::settle_failure(const Error& error) {
  const ErrorCode code = error.code();
  if (is_over()) {
    // The first append that fails may have left its bytes; nothing behind it is issued.
    if (is_log_failed_) model_.withdraw();
    is_log_failed_ = true;
    return;
  }
  if (code == ErrorCode::no_space && !is_log_failed_) return model_.withdraw();
  has_failed_ = true;
  if (code != ErrorCode::failed) complain(describe("append", error));
  if (std::exchange(is_log_failed_, true)) return model_.withdraw();
  check_reads();
}

void Script::append_refused(const std::vector<Bytes>& payloads, ErrorCode code) {
  if (is_over() || !log_ || is_log_failed_) return;
  Batch batch;
  for (const Bytes& payload : payloads) batch.add(payload);
  auto range = log_->append(batch);
  if (is_over()) return;
  if (range) return complain("an append was not refused");
  if (range.error().code() == ErrorCode::failed && is_disturbed()) {
    is_log_failed_ = has_failed_ = true;
  } else if (range.error().code() != code) {
    complain(describe("append that is to be refused", range.error()));
  }
}

std::optional<Lsn> Script::address_of(size_t ordinal) const {
  if (!log_ || is_log_failed_ || ordinal < model_.first()) return std::nullopt;
  if (ordinal >= model_.records().size()) return log_->end_lsn();
  return model_.records()[ordinal].lsn;
}

void Script::trim(size_t ordinal) {
  const auto lsn = is_over() ? std::nullopt : address_of(ordinal);
  if (!lsn) return;
  model_.begin_trim(std::min(ordinal, model_.records().size()));
  auto done = log_->trim_before(*lsn);
  if (is_over()) {
    is_log_failed_ = true;
    return;
  }
  if (!done) {
    is_log_failed_ = has_failed_ = true;
    if (done.error().code() != ErrorCode::failed) complain(describe("trim", done.error()));
    return;
  }
  settle_trim();
}

void Script::settle_trim() {
  Records seen;
  const Complaint unreadable = read_all(*log_, seen);
  if (is_over()) return;
  // Read errors leave open how far it went: the next opening tells.
  if (is_disturbed() && !unreadable.empty()) return;
  complain(unreadable);
  complain(model_.settle(seen));
}

void Script::truncate(size_t ordinal) {
  const auto lsn = is_over() ? std::nullopt : address_of(ordinal);
  if (!lsn || *lsn == log_->end_lsn()) return;
  model_.begin_truncation(ordinal);
  auto done = log_->truncate_from(*lsn);
  if (is_over()) {
    is_log_failed_ = true;
    return;
  }
  if (done) {
    model_.end_truncation(true);
    complain(model_.take_epoch(log_->epoch()));
    if (log_->end_lsn() != *lsn) complain("a truncation ends the log elsewhere");
    return check_reads();
  }
  const ErrorCode code = done.error().code();
  if (code == ErrorCode::failed) {
    is_log_failed_ = has_failed_ = true;
    return;
  }
  model_.end_truncation(false);
  // It is unknown how far a trim went whose outcome could not be read.
  const bool may_fail = is_disturbed() && (code == ErrorCode::io || code == ErrorCode::trimmed);
  if (code != ErrorCode::no_space && !may_fail) complain(describe("truncate", done.error()));
}

void Script::hold(const std::string& name, size_t ordinal) {
  const auto lsn = is_over() ? std::nullopt : address_of(ordinal);
  if (!lsn) return;
  auto done = log_->hold(name, *lsn);
  if (is_over()) {
    is_log_failed_ = true;
    return;
  }
  if (done) return;
  is_log_failed_ = has_failed_ = true;
  if (done.error().code() != ErrorCode::failed) complain(describe("hold", done.error()));
}

void Script::step_background() {
  while (!is_over() && log_ && log_->step_background()) {
  }
}

void Script::obey_limits(size_t first) {
  if (is_over() || !log_ || is_log_failed_) return;
  const size_t all = model_.records().size();
  const size_t bound = std::min(first, all);
  // Appends that were refused may leave another segment as the newest.
  model_.begin_trim(is_predictable() ? bound : all);
  step_background();
  // Everything is durable: this only tells whether background work has failed.
  const auto alive = log_->sync();
  if (!alive || is_over()) {
    has_failed_ = has_failed_ || !is_over();
    is_log_failed_ = true;
    return;
  }
  settle_trim();
  if (is_predictable() && model_.first() != bound) {
    complain(fmt::format("limits leave record {} as the first, and not {}", model_.first(), bound));
  }
}

void Script::append_over_quota(size_t size) {
  if (is_over() || !log_) return;
  const uint64_t refused = log_->stats().no_space;
  append({size});
  if (is_predictable() && log_->stats().no_space == refused) {
    complain("an append above the quota was not refused");
  }
}

void Script::append_when_trimmed(size_t size, size_t ordinal) {
  const auto payloads = make_payloads({size});
  for (int attempt = 0; attempt < 2 && !is_over() && log_; ++attempt) {
    const auto type = static_cast<uint16_t>(model_.records().size());
    const uint64_t number = model_.records().size();
    std::optional<Result<Lsn>> answer;
    model_.submit(payloads, type);
    const auto tried =
        log_->try_append_async(payloads[0], {.type = type}, [&](Result<Lsn> lsn) { answer = lsn; });
    if (tried) {
      if (is_predictable() && attempt == 0) complain("an append above the quota was let in");
      step_background();
      return settle_async(answer, number);
    }
    if (tried.error().code() != ErrorCode::would_block) return settle_failure(tried.error());
    model_.withdraw();
    trim(ordinal);
    step_background();
  }
  if (is_predictable()) complain("an append would block although there is room");
}

void Script::advance_seconds(uint64_t seconds) { machine_->advance_ns(seconds * 1'000'000'000); }

void Script::set_free_bytes(uint64_t bytes) {
  if (!is_over()) machine_->set_free_bytes(bytes);
}

void Script::reboot_after(const Keep& keep, LostBytes lost) {
  const SimDisk disk = machine_->crashed_disk();
  CrashPlan plan{.kept = {}, .lost = lost, .seed = calls()};
  const std::vector<Undecided> items = disk.undecided();
  for (size_t i = 0; i < items.size(); ++i) plan.kept.push_back(keep(i, items[i]) ? 1 : 0);
  boot(disk.crash(plan));
}

void Script::cut_power(const Keep& keep, LostBytes lost) {
  if (is_over()) return;
  machine_->crash_now();
  reboot_after(keep, lost);
}

/// False if the run ends there, or the append did not come to that call.
bool Script::stop_in_append(const std::vector<size_t>& sizes, uint64_t skipped) {
  if (is_over() || !log_ || is_log_failed_) return false;
  const uint64_t first = calls() + 1;
  const bool is_end = interference_.crash_at >= first && interference_.crash_at <= first + skipped;
  if (!is_end) machine_->crash_at(machine_->calls() + 1 + skipped);
  append(sizes);
  if (!is_end && !machine_->crashed()) interfere();
  return !is_end && machine_->crashed();
}

void Script::cut_power_in_append(const std::vector<size_t>& sizes, const Keep& keep, LostBytes lost,
                                 uint64_t skipped) {
  if (stop_in_append(sizes, skipped)) reboot_after(keep, lost);
}

void Script::kill_in_append(const std::vector<size_t>& sizes, size_t bytes) {
  if (!stop_in_append(sizes, 0)) return;
  boot(machine_->killed_disk(bytes));
  was_killed_ = true;
}

}  // namespace writeahead::testing
