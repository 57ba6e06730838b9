// Opening, appending, background work and closing of a log.
// The order in close() matters: appends end first, then background work, then the last writes.
#include "log_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <new>
#include <utility>

#include "base/error.h"
#include "segment/file_store.h"
#include "segment/segment_size.h"

namespace writeahead::internal {
namespace {

/// How long a log is idle before its end is proven by the root.
constexpr std::chrono::nanoseconds kIdleTime = std::chrono::seconds(1);
/// How long after a failure to make a standby it is tried again.
constexpr std::chrono::nanoseconds kRetryTime = std::chrono::milliseconds(200);
constexpr uint64_t kLargestRecordBytes = 1ULL << 30;
constexpr uint64_t kLargestSegmentBytes = 1ULL << 40;
constexpr uint32_t kMostFramesInFlight = 64;
constexpr uint32_t kSectorBytes = 512;
constexpr uint32_t kMostStandbys = 1024;

Result<void> check_options(const Options& options, const std::string& path) {
  const auto refuse = [&](std::string_view cause) {
    return std::unexpected(
        make_error(ErrorCode::invalid_argument, "open log", cause, {.path = path}));
  };
  if (options.segment_bytes < kMinSegmentBytes || options.segment_bytes > kLargestSegmentBytes) {
    return refuse("segment_bytes must be from 4608 to 2^40");
  }
  if (options.max_record_bytes > kLargestRecordBytes) {
    return refuse("max_record_bytes must be at most 2^30");
  }
  if (options.frame_alignment != 0 && options.frame_alignment != kSectorBytes &&
      options.frame_alignment != kBlockBytes) {
    return refuse("frame_alignment must be 0, 512 or 4096");
  }
  if (options.standby_segments.value_or(0) > kMostStandbys) {
    return refuse("standby_segments must be at most 1024");
  }
  if (options.max_frames_in_flight == 0 || options.max_frames_in_flight > kMostFramesInFlight) {
    return refuse("max_frames_in_flight must be from 1 to 64");
  }
  if ((options.file_mode & ~0777U) != 0 || (options.file_mode & 0600U) != 0600U) {
    return refuse("file_mode must be permission bits that let the owner read and write");
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<LogState>> LogState::open(const std::string& path, const Options& options) {
  if (auto checked = check_options(options, path); !checked) {
    return std::unexpected(checked.error());
  }
  Env& env = options.env != nullptr ? *options.env : Env::posix();
  auto store = FileStore::open(env, path,
                               {.create_if_missing = options.create_if_missing,
                                .file_mode = options.file_mode,
                                .sync_method = options.sync_method,
                                .frame_alignment = options.frame_alignment});
  if (!store) return std::unexpected(store.error());
  std::shared_ptr<SegmentStore> shared = std::move(*store);
  auto recovered = recover(*shared, env, options.error_if_exists);
  if (!recovered) return std::unexpected(recovered.error());
  std::shared_ptr<LogState> state(
      new LogState(env, options, std::move(shared), std::move(*recovered)));
  if (options.background == BackgroundWork::thread) state->start_background();
  {
    MutexLock lock(state->mutex_);
    // An idle log grows old, too.
    if (state->limits_.is_set()) state->wake_background();
  }
  return state;
}

/// The thread keeps the log alive for the length of a step: a callback may end the life of its last
/// owner.
void LogState::start_background() {
  background_ = std::make_unique<BackgroundThread>([weak = weak_from_this()] {
    const auto state = weak.lock();
    return state != nullptr ? state->run_step() : BackgroundThread::kForEver;
  });
}

void LogState::wake_background() {
  if (background_ != nullptr) background_->wake();
}

LogState::LogState(Env& env, const Options& options, std::shared_ptr<SegmentStore> store,
                   Recovered recovered)
    : env_(env),
      owner_(env.process_id()),
      max_record_bytes_(options.max_record_bytes),
      segment_bytes_(options.segment_bytes),
      store_(std::move(store)),
      report_(std::move(recovered.report)),
      progress_(std::make_shared<OwnProgress>(env, store_->path(),
                                              std::make_shared<OwnProgress>(env, store_->path()))),
      quota_(options.quota_bytes),
      standbys_(
          *store_, quota_, options,
          recovered.active ? recovered.active_header.number + 1 : recovered.root.first.number),
      completions_(std::make_shared<Completions>(options.executor)),
      root_(std::move(recovered.root)),
      trimmed_(*store_, quota_, std::move(recovered.trimmed)),
      sealer_(*store_, *recovered.table, root_.epoch),
      limits_(options, env, recovered.table->all(), recovered.last_time_ns) {
  for (const SegmentView& segment : recovered.table->all()) {
    quota_.take(segment.header.number, segment.header.prepared_bytes);
  }
  view_ = std::make_shared<ReadView>(store_, recovered.table, progress_, root_,
                                     options.map_segments, true);
  committer_ =
      std::make_unique<Committer>(CommitParts{.store = *store_,
                                              .table = *recovered.table,
                                              .standbys = standbys_,
                                              .completions = *completions_,
                                              .progress = *progress_,
                                              .env = env,
                                              .wake_background = [this] { wake_background(); }},
                                  options,
                                  CommitStart{.log_id = root_.log_id,
                                              .epoch = root_.epoch,
                                              .first_number = root_.first.number,
                                              .active = std::move(recovered.active),
                                              .active_header = recovered.active_header,
                                              .position = {.lsn = recovered.end_lsn,
                                                           .ordinal = recovered.end_ordinal,
                                                           .digest = recovered.digest,
                                                           .time_ns = recovered.last_time_ns}});
  holds_ = std::make_shared<HoldBook>(root_.holds, [this] {
    if (is_owner()) wake_background();
  });
}

Error LogState::closed_error() const {
  return make_error(ErrorCode::closed, "use log", "it was closed", {.path = store_->path()});
}

Error LogState::fork_error(std::string_view action) const {
  return make_error(ErrorCode::failed, action, "the log was opened before fork, by another process",
                    {.path = store_->path()});
}

std::optional<Error> LogState::read_refusal() const {
  if (is_closed_.load(std::memory_order_acquire)) return closed_error();
  return std::nullopt;
}

Result<void> LogState::admit(uint64_t longest_payload) const {
  if (longest_payload > max_record_bytes_) {
    return std::unexpected(
        make_error(ErrorCode::too_large, "append",
                   fmt::format("a record of {} bytes is above max_record_bytes, {}",
                               longest_payload, max_record_bytes_),
                   {.path = store_->path()}));
  }
  if (!is_owner()) return std::unexpected(fork_error("append"));
  return {};
}

Result<void> LogState::admit(const Batch& batch) const {
  const auto refuse = [&](ErrorCode code, std::string_view cause) {
    return std::unexpected(make_error(code, "append batch", cause, {.path = store_->path()}));
  };
  // A record that no batch can hold is not in it, but is remembered: that is `too_large`.
  if (batch.is_empty() && BatchAccess::longest(batch) == 0) {
    return refuse(ErrorCode::invalid_argument, "it holds no record");
  }
  if (batch.size() > kMaxFrameRecords) {
    return refuse(ErrorCode::too_large, "it holds more than 2^31 records");
  }
  return admit(BatchAccess::longest(batch));
}

Result<void> LogState::sync() {
  if (auto admitted = admit(0); !admitted) return admitted;
  return committer_->sync();
}

Result<void> LogState::wait_durable(Lsn lsn, std::optional<std::chrono::nanoseconds> timeout,
                                    const std::stop_token& stop) {
  if (auto admitted = admit(0); !admitted) return admitted;
  if (lsn >= committer_->end_lsn()) {
    return std::unexpected(make_error(ErrorCode::not_found, "wait for record",
                                      "nothing was appended there yet",
                                      {.path = store_->path(), .offset = {}, .lsn = lsn}));
  }
  return committer_->wait_durable(lsn, deadline_in(timeout), stop);
}

Result<Appended> LogState::append(PendingAppend& append) {
  committer_->append(append);
  if (append.error) return std::unexpected(*append.error);
  wake_background();
  return append.range;
}

Result<Appended> LogState::append_buffered(const AsyncRecord& record) {
  CompletionTarget nobody;
  auto range = committer_->append_async(record, nobody, true);
  wake_background();
  return range;
}

Result<Appended> LogState::append_buffered(const Batch& batch) {
  CompletionTarget nobody;
  auto range = committer_->append_async(batch, Durability::buffered, nobody, true);
  wake_background();
  return range;
}

Result<void> LogState::append_async(const AsyncRecord& record, CompletionTarget target,
                                    bool can_wait) {
  auto admitted = admit(record.payload.size());
  if (!admitted) return refuse_async(admitted.error(), target, can_wait);
  auto range = committer_->append_async(record, target, can_wait);
  return range ? Result<void>{} : refuse_async(range.error(), target, can_wait);
}

Result<void> LogState::append_async(const Batch& batch, Durability durability,
                                    CompletionTarget target, bool can_wait) {
  auto admitted = admit(batch);
  if (!admitted) return refuse_async(admitted.error(), target, can_wait);
  auto range = committer_->append_async(batch, durability, target, can_wait);
  return range ? Result<void>{} : refuse_async(range.error(), target, can_wait);
}

/// A callback hears of a refusal where and when it would hear of a success.
Result<void> LogState::refuse_async(const Error& error, CompletionTarget& target, bool can_wait) {
  if (!can_wait) return std::unexpected(error);
  auto refused = completions_->make();
  refused->add_refused(target);
  refused->error = error;
  completions_->push(std::move(refused));
  // Nobody else comes by any more.
  if (is_closed_.load(std::memory_order_acquire) || !is_owner()) {
    const auto kept = completions_;
    kept->run();
  } else {
    wake_background();
  }
  return {};
}

/// The root proves what is durable now; with what it proved before, nothing is written.
Result<void> LogState::prove(bool is_clean) {
  RootState next = root_;
  // A log without a segment proves its own beginning, as it was created.
  if (committer_->durable_lsn() != root_.first.lsn) next.proven = committer_->durable_position();
  next.is_clean = is_clean;
  next.holds = holds_->all();
  if (next.proven == root_.proven && next.is_clean == root_.is_clean && next.holds == root_.holds) {
    return {};
  }
  if (auto written = store_->write_root(next); !written) return written;
  root_ = std::move(next);
  return {};
}

/// What nobody waits for, in the order of its use: each part comes again until it has nothing to
/// do.
Result<BackgroundThread::Pause> LogState::housekeep() {
  using Part = Result<BackgroundThread::Pause> (LogState::*)();
  constexpr std::array<Part, 4> kParts{&LogState::seal, &LogState::obey_limits,
                                       &LogState::prepare_standby, &LogState::prove_idle};
  auto pause = BackgroundThread::kForEver;
  for (const Part part : kParts) {
    auto next = (this->*part)();
    if (!next || *next == BackgroundThread::kNone) return next;
    pause = std::min(pause, *next);
  }
  return pause;
}

Result<BackgroundThread::Pause> LogState::seal() {
  auto sealed = sealer_.step();
  if (!sealed) return std::unexpected(sealed.error());
  return *sealed ? BackgroundThread::kNone : BackgroundThread::kForEver;
}

/// What cannot be made now is tried again later; an append that needs it says what is wrong.
Result<BackgroundThread::Pause> LogState::prepare_standby() {
  // A log that nobody appends to needs none.
  if (committer_->last_commit_ns() == 0 && !standbys_.is_wanted()) {
    return BackgroundThread::kForEver;
  }
  const uint64_t now = env_.monotonic_ns();
  if (now < standby_retry_ns_) return std::chrono::nanoseconds(standby_retry_ns_ - now);
  auto made = standbys_.step();
  if (made) return *made ? BackgroundThread::kNone : BackgroundThread::kForEver;
  standby_retry_ns_ = now + static_cast<uint64_t>(kRetryTime.count());
  return kRetryTime;
}

Result<BackgroundThread::Pause> LogState::prove_idle() {
  const bool is_proven = committer_->durable_lsn() == root_.proven.lsn;
  if (is_proven && holds_->all() == root_.holds) return BackgroundThread::kForEver;
  const uint64_t idle_ns = env_.monotonic_ns() - committer_->last_commit_ns();
  const auto needed_ns = static_cast<uint64_t>(kIdleTime.count());
  if (idle_ns < needed_ns) return std::chrono::nanoseconds(needed_ns - idle_ns);
  if (auto proven = prove(false); !proven) return std::unexpected(proven.error());
  return BackgroundThread::kNone;
}

/// Frames first, then the callbacks, which run without a lock, then what nobody waits for.
BackgroundThread::Pause LogState::run_step() {
  if (!is_owner()) return BackgroundThread::kForEver;
  const auto completions = completions_;
  const bool has_committed = committer_->commit_due();
  if (completions->run() || has_committed) return BackgroundThread::kNone;
  try {
    const auto due = committer_->make_due();
    if (due == BackgroundThread::kNone) return due;
    MutexLock lock(mutex_);
    if (is_released_ || committer_->failure()) return BackgroundThread::kForEver;
    auto next = housekeep();
    if (next) return std::min(*next, due);
    committer_->fail(next.error());
    return BackgroundThread::kNone;
  } catch (const std::bad_alloc&) {
    return kRetryTime;
  }
}

bool LogState::step() {
  const auto kept = shared_from_this();
  return run_step() == BackgroundThread::kNone;
}

Result<void> LogState::close() {
  if (!is_owner()) return std::unexpected(fork_error("close log"));
  holds_->close(closed_error());
  const auto kept = shared_from_this();
  committer_->close(closed_error());
  progress_->end(closed_error());
  if (background_ != nullptr) background_->stop();
  auto finished = finish_once();
  // What was still to be told is told here: the background thread is no more.
  completions_->run();
  return finished;
}

Result<void> LogState::finish_once() {
  MutexLock lock(mutex_);
  if (std::exchange(is_released_, true)) return {};
  Result<void> finished{};
  try {
    finished = finish();
  } catch (const std::bad_alloc&) {
    finished = std::unexpected(
        make_error(ErrorCode::no_space, "close log", "out of memory", {.path = store_->path()}));
  }
  is_closed_.store(true, std::memory_order_release);
  store_->release();
  return finished;
}

/// A failed log writes nothing more: no seal, no root.
Result<void> LogState::finish() {
  if (const auto failure = committer_->failure()) return std::unexpected(*failure);
  while (true) {
    auto sealed = sealer_.step();
    if (!sealed) return std::unexpected(sealed.error());
    if (!*sealed) break;
  }
  if (auto proven = prove(true); !proven) return proven;
  // Last, since the log is sound without it.
  return trimmed_.remove();
}

Stats LogState::stats() const {
  Stats stats = committer_->stats();
  MutexLock lock(mutex_);
  stats.seals = sealer_.seals_written();
  stats.standbys = standbys_.ready();
  return stats;
}

}  // namespace writeahead::internal
