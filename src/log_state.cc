// Opening, appending, background work and closing of a log.
// The order in close() matters: appends end first, then background work, then the last writes.
#include "log_state.h"

#include <fmt/format.h>

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
constexpr uint64_t kLargestRecordBytes = 1ULL << 30;
constexpr uint64_t kLargestSegmentBytes = 1ULL << 40;

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
  if ((options.file_mode & ~0777U) != 0 || (options.file_mode & 0600U) != 0600U) {
    return refuse("file_mode must be permission bits that let the owner read and write");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<LogState>> LogState::open(const std::string& path, const Options& options) {
  if (auto checked = check_options(options, path); !checked) {
    return std::unexpected(checked.error());
  }
  Env& env = options.env != nullptr ? *options.env : Env::posix();
  auto store = FileStore::open(env, path,
                               {.create_if_missing = options.create_if_missing,
                                .file_mode = options.file_mode,
                                .sync_method = options.sync_method});
  if (!store) return std::unexpected(store.error());
  std::shared_ptr<SegmentStore> shared = std::move(*store);
  auto recovered = recover(*shared, env, options.error_if_exists);
  if (!recovered) return std::unexpected(recovered.error());
  return std::unique_ptr<LogState>(
      new LogState(env, options, std::move(shared), std::move(*recovered)));
}

LogState::LogState(Env& env, const Options& options, std::shared_ptr<SegmentStore> store,
                   Recovered recovered)
    : env_(env),
      owner_(env.process_id()),
      max_record_bytes_(options.max_record_bytes),
      segment_bytes_(options.segment_bytes),
      store_(std::move(store)),
      report_(std::move(recovered.report)),
      root_(std::move(recovered.root)),
      trimmed_(*store_, std::move(recovered.trimmed)),
      sealer_(*store_, *recovered.table, root_.epoch) {
  view_ = std::make_shared<ReadView>(store_, recovered.table, root_);
  committer_ =
      std::make_unique<Committer>(*store_, *recovered.table, env, options,
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
    if (background_ != nullptr && is_owner()) background_->wake();
  });
  if (options.background == BackgroundWork::thread) {
    background_ = std::make_unique<BackgroundThread>([this] { return run_step(); }, kIdleTime);
  }
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

Result<Appended> LogState::append(PendingAppend& append) {
  committer_->append(append);
  if (append.error) return std::unexpected(*append.error);
  if (background_ != nullptr) background_->wake();
  return append.range;
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

Result<BackgroundThread::Next> LogState::housekeep() {
  using Next = BackgroundThread::Next;
  auto sealed = sealer_.step();
  if (!sealed) return std::unexpected(sealed.error());
  if (*sealed) return Next::again;
  const bool is_proven = committer_->durable_lsn() == root_.proven.lsn;
  if (is_proven && holds_->all() == root_.holds) return Next::sleep;
  const uint64_t idle_since = committer_->last_commit_ns();
  const auto idle_ns = static_cast<uint64_t>(kIdleTime.count());
  if (env_.monotonic_ns() - idle_since < idle_ns) return Next::later;
  if (auto proven = prove(false); !proven) return std::unexpected(proven.error());
  return Next::again;
}

BackgroundThread::Next LogState::run_step() {
  MutexLock lock(mutex_);
  if (is_released_ || !is_owner() || committer_->failure()) return BackgroundThread::Next::sleep;
  try {
    auto next = housekeep();
    if (next) return *next;
    committer_->fail(next.error());
  } catch (const std::bad_alloc&) {
    return BackgroundThread::Next::later;
  }
  return BackgroundThread::Next::sleep;
}

bool LogState::step() { return run_step() == BackgroundThread::Next::again; }

Result<void> LogState::close() {
  if (!is_owner()) return std::unexpected(fork_error("close log"));
  holds_->close(closed_error());
  committer_->close(closed_error());
  if (background_ != nullptr) background_->stop();
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
  return stats;
}

}  // namespace writeahead::internal
