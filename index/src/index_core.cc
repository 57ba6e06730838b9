// Taking records in, and the background that does it when nobody else does.
#include "writeahead/index/detail/index_core.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "index_error.h"
#include "snapshot_directory.h"
#include "snapshot_file.h"

namespace writeahead::index::internal {
namespace {

// So many records are taken in together, before another thread may.
constexpr size_t kBatchRecords = 256;
// In so many turns, or turns of so many entries, a sweep has seen all of them.
constexpr uint64_t kTurns = 64;
constexpr uint64_t kLeastTurn = 64 << 10;
constexpr std::chrono::milliseconds kRestAfterFailure = std::chrono::seconds(1);

}  // namespace

IndexCore::IndexCore(Log& log, IndexContents& contents, const IndexOptions& options)
    : log_(log), contents_(contents), options_(options) {}

IndexCore::~IndexCore() = default;

Result<std::unique_ptr<IndexCore>> IndexCore::open(Log& log, IndexContents& contents,
                                                   const IndexOptions& options) {
  std::unique_ptr<IndexCore> core(new IndexCore(log, contents, options));
  if (auto opened = core->open_directory(); !opened) return std::unexpected(opened.error());
  const auto is_loaded = core->recover();
  if (!is_loaded) return std::unexpected(is_loaded.error());
  const Lsn first = log.first_lsn();
  if (!*is_loaded) contents.begin_bulk();
  if (auto advanced = core->advance(); !advanced) return std::unexpected(advanced.error());
  if (!*is_loaded) contents.end_bulk();
  // A sweep did not see what was put off.
  if (const Lsn now = log.first_lsn(); !*is_loaded && now != first) core->sweep_all(now);
  core->opening_.replayed_records = core->records_;
  return core;
}

void IndexCore::start(std::function<Result<bool>()> work,
                      std::function<void(const Error&)> on_end) {
  work_ = std::move(work);
  on_end_ = std::move(on_end);
  if (options_.background != BackgroundWork::thread) return;
  background_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void IndexCore::begin_at(Lsn lsn) {
  position_.store(lsn, std::memory_order_release);
  reader_.reset();
}

/// The log is another one from some position on, below which entries may have been replaced that
/// count again now.
void IndexCore::rebuild() {
  contents_.clear(contents_.hash_seed());
  last_lsn_ = Lsn();
  begin_at(log_.first_lsn());
  rebuilds_.fetch_add(1, std::memory_order_relaxed);
}

/// A reader tells of truncations from its beginning on; of those before that the count does.
void IndexCore::begin_reader() {
  for (;;) {
    reader_.emplace(log_.reader(position()));
    const uint64_t truncations = log_.identity().truncations;
    if (truncations == truncations_) return;
    truncations_ = truncations;
    rebuild();
  }
}

/// Some records, up to the one at `last`: together, for what each of them changes lies far apart.
Result<IndexCore::Advance> IndexCore::take_some(Lsn last) {
  const bool is_new = !reader_;
  if (is_new) begin_reader();
  const Lsn from = position();
  std::optional<Result<RecordView>> record;
  try {
    while (batch_.size() < kBatchRecords && (record = reader_->next()) && *record) {
      batch_.push_back(std::move(**record));
      if (batch_.back().lsn >= last) break;
    }
    apply_batch();
  } catch (...) {
    batch_.clear();
    reader_.reset();  // They are taken in by the next call.
    throw;
  }
  if (!record) return Advance::is_at_the_end;
  if (*record) return Advance::went_on;
  reader_.reset();
  const ErrorCode code = record->error().code();
  if (code == ErrorCode::trimmed) {
    const Lsn first = log_.first_lsn();
    // By whoever took the log over: this one begins where it did, and cannot go on.
    const bool is_stuck = is_new && position() == from && first <= from;
    if (is_stuck) return std::unexpected(record->error());
    sweep_all(first);
    begin_at(std::max(position(), first));
    return Advance::went_on;
  }
  if (code == ErrorCode::truncated) return Advance::went_on;  // By way of begin_reader().
  return std::unexpected(record->error());
}

void IndexCore::apply_batch() {
  if (batch_.empty()) return;
  contents_.apply(batch_);
  last_lsn_ = batch_.back().lsn;
  position_.store(reader_->position(), std::memory_order_release);
  records_.fetch_add(batch_.size(), std::memory_order_relaxed);
  const uint64_t count = batch_.size();
  batch_.clear();
  sweep(count);
}

/// Entries of trimmed records go in turns, each time that as many records came as there are in a
/// turn: what that costs a record does not depend on how many entries there are.
void IndexCore::sweep(uint64_t records) {
  unswept_records_ += records;
  const uint64_t turn = std::max(kTurns, contents_.entries() / kTurns);
  for (; unswept_records_ >= turn; unswept_records_ -= turn) {
    const Lsn first = log_.first_lsn();
    if (first != swept_first_) sweeps_ = 0;
    swept_first_ = first;
    if (sweeps_ > kTurns + contents_.entries() / kLeastTurn) continue;
    contents_.sweep_some(first);
    ++sweeps_;
  }
}

/// Records between the position and `first` are gone, and with them what they would have changed of
/// entries in front of them: which are gone, too.
void IndexCore::sweep_all(Lsn first) {
  for (uint64_t i = 0; i <= kTurns + contents_.entries() / kLeastTurn; ++i) {
    contents_.sweep_some(first);
  }
}

/// Up to what is durable now: who appends meanwhile is not waited for.
Result<void> IndexCore::advance() {
  const Lsn end = log_.durable_lsn();
  for (;;) {
    // Another thread may have its turn in between.
    const std::lock_guard lock(advance_mutex_);
    auto advanced = take_some(Lsn(UINT64_MAX));
    if (!advanced) return std::unexpected(advanced.error());
    // Without a reader the position is not right yet.
    if (*advanced == Advance::is_at_the_end || (reader_ && position() >= end)) return {};
  }
}

Result<void> IndexCore::take_up_to(Lsn lsn) {
  while (position() <= lsn) {
    auto advanced = take_some(lsn);
    if (!advanced) return std::unexpected(advanced.error());
    if (*advanced == Advance::is_at_the_end && position() <= lsn) {
      return std::unexpected(make_error(ErrorCode::not_found, "advance index",
                                        "no durable record is there yet", log_.path()));
    }
  }
  return {};
}

Result<void> IndexCore::advance_to(Lsn lsn) {
  if (position() > lsn) return {};
  const std::lock_guard lock(advance_mutex_);
  return take_up_to(lsn);
}

void IndexCore::note_failure(const Error& error) {
  const std::lock_guard lock(failure_mutex_);
  last_failure_ = error.message();
}

void IndexCore::rest(const std::stop_token& stop, std::chrono::milliseconds time) {
  std::unique_lock lock(rest_mutex_);
  rest_ends_.wait_for(lock, stop, time, [] { return false; });
}

void IndexCore::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    try {
      if (!follow(stop)) return;
    } catch (const std::bad_alloc&) {
      rest(stop, kRestAfterFailure);
    }
  }
}

/// Waits for a record and takes in what came; false once there will be none any more.
bool IndexCore::follow(const std::stop_token& stop) {
  // One that waits, and has nothing to do with the one that reads.
  auto record = log_.reader(position()).wait_next(stop);
  if (!record) return true;
  if (!*record) {
    const ErrorCode code = record->error().code();
    if (code == ErrorCode::closed || code == ErrorCode::failed || code == ErrorCode::fenced) {
      if (on_end_) on_end_(record->error());
      return false;
    }
  }
  rest(stop, std::chrono::milliseconds(options_.follow_interval_ms));
  if (stop.stop_requested()) return false;
  auto done = advance();
  for (bool has_more = true; done && has_more && !stop.stop_requested();) {
    const auto worked = do_work();
    has_more = worked.value_or(false);
    if (!worked) done = std::unexpected(worked.error());
  }
  if (done && is_snapshot_due()) done = write_snapshot();
  if (!done) {
    note_failure(done.error());
    rest(stop, kRestAfterFailure);
  }
  return true;
}

Result<bool> IndexCore::do_work() {
  if (!work_) return false;
  return work_();
}

bool IndexCore::step_background() {
  const Lsn before = position();
  auto done = advance();
  if (done) {
    if (const auto worked = do_work(); !worked) done = std::unexpected(worked.error());
  }
  if (!done) {
    note_failure(done.error());
    return false;
  }
  if (!is_snapshot_due()) return position() != before;
  const auto written = write_snapshot();
  if (!written) note_failure(written.error());
  return written.has_value();
}

IndexStats IndexCore::stats() const {
  IndexStats stats{.entries = contents_.entries(),
                   .position = position(),
                   .records = records_,
                   .rebuilds = rebuilds_,
                   .snapshots = snapshots_,
                   .snapshot_failures = snapshot_failures_,
                   .snapshot_position = snapshot_begin_,
                   .snapshot_size = snapshot_size_,
                   .last_failure = {}};
  const std::lock_guard lock(failure_mutex_);
  stats.last_failure = last_failure_;
  return stats;
}

}  // namespace writeahead::index::internal
