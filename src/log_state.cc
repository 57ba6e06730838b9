// Opening, appending to, and closing of a log.
// The order in close() matters: appends end first, then background work, then the last writes.
#include "log_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/error.h"
#include "segment/file_store.h"
#include "segment/open_store.h"
#include "segment/segment_size.h"

namespace writeahead::internal {
namespace {

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
  if ((options.file_mode & kWritableByAll) != 0) {
    return refuse("file_mode must not let every user write");
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<LogState>> LogState::open(const std::string& path, const Options& options) {
  if (auto checked = check_options(options, path); !checked) {
    return std::unexpected(checked.error());
  }
  Env& env = options.env != nullptr ? *options.env : Env::posix();
  auto store = open_store(env, path, options);
  if (!store) return std::unexpected(store.error());
  std::shared_ptr<SegmentStore> shared = std::move(*store);
  auto recovered = recover(*shared, env, options.error_if_exists);
  if (!recovered) return std::unexpected(recovered.error());
  Options obeyed = options;
  if (!shared->traits().prepares_segments) obeyed.standby_segments = 0;
  obeyed.max_record_bytes = std::min(obeyed.max_record_bytes, shared->traits().most_batch_bytes);
  std::shared_ptr<LogState> state(
      new LogState(env, obeyed, std::move(shared), std::move(*recovered)));
  if (options.background == BackgroundWork::thread) {
    state->start_background();
    if (options.max_frames_in_flight > 1) state->start_second_writer();
  }
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

/// Frames that are large are written two at once: one of them by a thread that does nothing else.
void LogState::start_second_writer() {
  second_writer_ = std::make_unique<BackgroundThread>([weak = weak_from_this()] {
    const auto state = weak.lock();
    const bool has_committed =
        state != nullptr && state->is_owner() && state->committer_->commit_due();
    return has_committed ? BackgroundThread::kNone : BackgroundThread::kForEver;
  });
}

void LogState::wake_background() {
  if (background_ != nullptr) background_->wake();
}

/// An append leaves nothing to do but the proof of its end, once the log is idle: what is more
/// urgent the committer says itself. A thread that was woken by each append would cost each a
/// system call.
void LogState::remind_background(std::chrono::nanoseconds within) {
  if (background_ != nullptr) background_->remind(within);
}

LogState::LogState(Env& env, const Options& options, std::shared_ptr<SegmentStore> store,
                   Recovered recovered)
    : env_(env),
      owner_(env.process_id()),
      max_record_bytes_(options.max_record_bytes),
      store_(std::move(store)),
      report_(std::move(recovered.report)),
      progress_(std::make_shared<OwnProgress>(env, store_->path(),
                                              std::make_shared<OwnProgress>(env, store_->path()))),
      quota_(options.quota_bytes),
      trimmed_(*store_, quota_, recovered.trimmed),
      standbys_(
          *store_, quota_, trimmed_, options,
          recovered.active ? recovered.active_header.number + 1 : recovered.root.first.number),
      completions_(std::make_shared<Completions>(options.executor)),
      root_(std::move(recovered.root)),
      sealer_(*store_, *recovered.table, root_.epoch, options.frame_alignment),
      limits_(options, env, recovered.table->all(), recovered.last_time_ns) {
  for (const SegmentView& segment : recovered.table->all()) {
    quota_.take(segment.header.number, segment.header.prepared_bytes);
  }
  view_ = std::make_shared<ReadView>(store_, recovered.table, progress_, root_,
                                     options.map_segments, true);
  committer_ = std::make_unique<Committer>(
      CommitParts{.store = *store_,
                  .table = *recovered.table,
                  .standbys = standbys_,
                  .completions = *completions_,
                  .progress = *progress_,
                  .env = env,
                  .wake_background = [this] { wake_background(); },
                  .remind_background =
                      [this](std::chrono::nanoseconds within) { remind_background(within); },
                  .wake_second =
                      [this] {
                        if (second_writer_) second_writer_->wake();
                      }},
      options,
      CommitStart{.log_id = root_.log_id,
                  .epoch = root_.epoch,
                  .first_number = root_.first.number,
                  .active = std::move(recovered.active),
                  .active_header = recovered.active_header,
                  .position = {.lsn = recovered.end_lsn,
                               .ordinal = recovered.end_ordinal,
                               .digest = recovered.digest,
                               .time_ns = recovered.last_time_ns},
                  .producers = std::move(recovered.producers)});
  holds_ = std::make_shared<HoldBook>(
      root_.holds, [this] { wake_background(); },
      // A handle may ask while the log is being destroyed: nothing of that is looked at.
      [&env, owner = owner_, path = store_->path()]() -> std::optional<Error> {
        if (env.process_id() == owner) return std::nullopt;
        return forked_error("use hold", path);
      });
}

Error LogState::closed_error() const {
  return make_error(ErrorCode::closed, "use log", "it was closed", {.path = store_->path()});
}

Error LogState::fork_error(std::string_view action) const {
  return forked_error(action, store_->path());
}

std::optional<Error> LogState::read_refusal() const {
  if (is_closed_.load(std::memory_order_acquire)) return closed_error();
  // Locks that other threads held at the fork are never given back in the child.
  if (!is_owner()) return fork_error("read log");
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

Result<void> LogState::admit(const Batch& batch, const Mark& mark) const {
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
  if (BatchAccess::encoded_bytes(batch, mark) > store_->traits().most_batch_bytes) {
    return refuse(ErrorCode::too_large, "it is more than the store takes at once");
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
  remind_background(kIdleTime);
  return append.range;
}

Result<Appended> LogState::append_buffered(const AsyncRecord& record) {
  CompletionTarget nobody;
  auto range = committer_->append_async(record, nobody, true);
  remind_background(kIdleTime);
  return range;
}

Result<Appended> LogState::append_buffered(const Batch& batch, const BatchOptions& options) {
  CompletionTarget nobody;
  auto range = committer_->append_async(batch, options, nobody, true);
  remind_background(kIdleTime);
  return range;
}

Result<void> LogState::append_async(const AsyncRecord& record, CompletionTarget target,
                                    bool can_wait) {
  auto admitted = admit(record.payload.size());
  if (!admitted) return refuse_async(admitted.error(), target, can_wait);
  auto range = committer_->append_async(record, target, can_wait);
  return range ? Result<void>{} : refuse_async(range.error(), target, can_wait);
}

Result<void> LogState::append_async(const Batch& batch, const BatchOptions& options,
                                    CompletionTarget target, bool can_wait) {
  auto admitted = admit(batch, options.producer_number);
  if (!admitted) return refuse_async(admitted.error(), target, can_wait);
  auto range = committer_->append_async(batch, options, target, can_wait);
  return range ? Result<void>{} : refuse_async(range.error(), target, can_wait);
}

/// A callback hears of a refusal where and when it would hear of a success.
Result<void> LogState::refuse_async(const Error& error, CompletionTarget& target, bool can_wait) {
  if (!can_wait) return std::unexpected(error);
  if (!is_owner()) {
    // What waits to be told here is told by the parent.
    Completions::refuse(target, error);
    return {};
  }
  auto refused = completions_->make();
  refused->add_refused(target);
  refused->error = error;
  completions_->push(std::move(refused));
  // Nobody else comes by any more.
  if (is_closed_.load(std::memory_order_acquire)) {
    const auto kept = completions_;
    kept->run();
  } else {
    wake_background();
  }
  return {};
}

Result<void> LogState::close() {
  if (!is_owner()) return std::unexpected(fork_error("close log"));
  holds_->close(closed_error());
  const auto kept = shared_from_this();
  store_->stop_waiting_for_space();
  committer_->close(closed_error());
  progress_->end(closed_error());
  if (second_writer_ != nullptr) second_writer_->stop();
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
  if (auto removed = trimmed_.remove(0); !removed) return std::unexpected(removed.error());
  return {};
}

LogIdentity LogState::identity() const {
  if (!is_owner()) return {};
  MutexLock lock(mutex_);
  return {.log_id = root_.log_id, .truncations = root_.truncation_count};
}

Stats LogState::stats() const {
  if (!is_owner()) return {};
  Stats stats = committer_->stats();
  stats.holds = hold_lags();
  MutexLock lock(mutex_);
  stats.seals = sealer_.seals_written();
  stats.standbys = standbys_.ready();
  stats.recycled = standbys_.recycled();
  return stats;
}

}  // namespace writeahead::internal
