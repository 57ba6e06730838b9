// Log: the public face of LogState.
// Here is nothing but the way from each call to the layer that does it.
#include "writeahead/log.h"

#include <new>
#include <utility>

#include "format/checksum.h"
#include "log_state.h"
#include "segment/open_store.h"

namespace writeahead {

using internal::AsyncRecord;
using internal::LogState;
using internal::PendingAppend;

namespace {

/// The payload is hashed here, in the caller's thread and outside of every lock.
AsyncRecord make_record(std::span<const std::byte> payload, AppendOptions options) {
  return {.payload = payload, .payload_hash = internal::payload_hash(payload), .options = options};
}

}  // namespace

Result<Log> Log::open(const std::string& path, const Options& options) {
  auto state = LogState::open(path, options);
  if (!state) return std::unexpected(state.error());
  return Log(std::move(*state));
}

Result<void> Log::destroy(const std::string& path, const Options& options) {
  Env& env = options.env != nullptr ? *options.env : Env::posix();
  return internal::destroy_store(env, path);
}

Log::Log(std::shared_ptr<LogState> state) : state_(std::move(state)) {}
Log::Log(Log&&) noexcept = default;

Log& Log::operator=(Log&& other) noexcept {
  if (this != &other) {
    Log old(std::move(*this));  // Closes what was open here.
    state_ = std::move(other.state_);
  }
  return *this;
}

Log::~Log() {
  if (state_ == nullptr) return;
  if (!state_->is_owner()) {
    // In a forked child the background thread does not exist and locks may be held by threads that
    // do not either: whatever is touched could hang. The parent's log is not the child's to end.
    [[maybe_unused]] auto* const abandoned =
        new (std::nothrow) std::shared_ptr<LogState>(std::move(state_));
    return;
  }
  [[maybe_unused]] const auto closed = state_->close();
}

Result<Lsn> Log::append(Payload payload, AppendOptions options) {
  const auto bytes = payload.bytes();
  if (auto admitted = state_->admit(bytes.size()); !admitted) {
    return std::unexpected(admitted.error());
  }
  Result<Appended> range;
  if (options.durability == Durability::buffered) {
    range = state_->append_buffered(make_record(bytes, options));
  } else {
    PendingAppend append(bytes, options);
    range = state_->append(append);
  }
  if (!range) return std::unexpected(range.error());
  return range->first_lsn;
}

Result<Appended> Log::append(const Batch& batch, Durability durability) {
  return append(batch, BatchOptions{.durability = durability});
}

Result<Appended> Log::append(const Batch& batch, BatchOptions options) {
  if (auto admitted = state_->admit(batch, options.producer_number); !admitted) {
    return std::unexpected(admitted.error());
  }
  if (options.durability == Durability::buffered) return state_->append_buffered(batch, options);
  PendingAppend append(batch, options);
  return state_->append(append);
}

void Log::append_async(Payload payload, AppendOptions options, AppendCallback callback) {
  // A refusal is told to the callback: there is nothing to return.
  [[maybe_unused]] const auto told =
      state_->append_async(make_record(payload.bytes(), options), std::move(callback), true);
}

void Log::append_async(Payload payload, AppendCallback callback) {
  append_async(payload, AppendOptions{}, std::move(callback));
}

void Log::append_async(const Batch& batch, BatchOptions options, BatchCallback callback) {
  [[maybe_unused]] const auto told =
      state_->append_async(batch, options, std::move(callback), true);
}

void Log::append_async(const Batch& batch, Durability durability, BatchCallback callback) {
  append_async(batch, BatchOptions{.durability = durability}, std::move(callback));
}

void Log::append_async(const Batch& batch, BatchCallback callback) {
  append_async(batch, BatchOptions{}, std::move(callback));
}

AppendAwaitable Log::append_async(Payload payload, AppendOptions options) {
  return {*this, payload, options};
}

void AppendAwaitable::await_suspend(std::coroutine_handle<> waiting) {
  // The coroutine may go on, and end this object, before the call returns.
  log_.append_async(payload_, options_, [this, waiting](Result<Lsn> result) {
    result_ = std::move(result);
    waiting.resume();
  });
}

Result<void> Log::try_append_async(Payload payload, AppendOptions options,
                                   AppendCallback callback) {
  return state_->append_async(make_record(payload.bytes(), options), std::move(callback), false);
}

Result<void> Log::try_append_async(const Batch& batch, BatchOptions options,
                                   BatchCallback callback) {
  return state_->append_async(batch, options, std::move(callback), false);
}

Result<void> Log::try_append_async(const Batch& batch, Durability durability,
                                   BatchCallback callback) {
  return try_append_async(batch, BatchOptions{.durability = durability}, std::move(callback));
}

Result<void> Log::sync() { return state_->sync(); }

Result<void> Log::wait_durable(Lsn lsn, std::optional<std::chrono::nanoseconds> timeout,
                               const std::stop_token& stop) {
  return state_->wait_durable(lsn, timeout, stop);
}

Result<RecordView> Log::read(Lsn lsn, ReadOptions options) const {
  if (auto refusal = state_->read_refusal()) return std::unexpected(*refusal);
  return state_->view().read(lsn, options);
}

std::vector<Result<RecordView>> Log::read_many(std::span<const Lsn> lsns,
                                               ReadOptions options) const {
  if (auto refusal = state_->read_refusal()) return {lsns.size(), std::unexpected(*refusal)};
  return state_->view().read_many(lsns, options);
}

Reader Log::reader(Lsn from, ReaderOptions options) const {
  if (auto refusal = state_->read_refusal()) {
    return Reader(std::make_unique<internal::Cursor>(*refusal));
  }
  return state_->view().reader(from, options);
}

Result<Lsn> Log::find_ordinal(uint64_t ordinal) const {
  if (auto refusal = state_->read_refusal()) return std::unexpected(*refusal);
  return state_->view().find_ordinal(ordinal);
}

Result<Lsn> Log::find_time(uint64_t time_ns) const {
  if (auto refusal = state_->read_refusal()) return std::unexpected(*refusal);
  return state_->view().find_time(time_ns);
}

Result<RecordView> Log::last() const {
  if (auto refusal = state_->read_refusal()) return std::unexpected(*refusal);
  return state_->view().last();
}

Lsn Log::first_lsn() const { return state_->is_owner() ? state_->view().first_lsn() : Lsn(); }
Lsn Log::end_lsn() const { return state_->committer().end_lsn(); }
Lsn Log::durable_lsn() const { return state_->committer().durable_lsn(); }
bool Log::is_empty() const { return !state_->is_owner() || state_->view().records() == 0; }
uint64_t Log::epoch() const { return state_->view().epoch(); }
LogIdentity Log::identity() const { return state_->identity(); }
const std::string& Log::path() const { return state_->path(); }
Env& Log::env() const { return state_->env(); }
Stats Log::stats() const { return state_->stats(); }
const RecoveryReport& Log::recovery_report() const { return state_->report(); }
std::vector<SegmentInfo> Log::segments() const {
  return state_->is_owner() ? state_->view().segments() : std::vector<SegmentInfo>();
}
Result<void> Log::trim_before(Lsn lsn) { return state_->trim_before(lsn); }
Result<void> Log::truncate_from(Lsn lsn) { return state_->truncate_from(lsn); }
Result<Hold> Log::hold(std::string_view name, Lsn lsn) { return state_->hold(name, lsn); }
std::vector<HoldInfo> Log::holds() const { return state_->holds(); }
Result<void> Log::close() { return state_->close(); }
bool Log::step_background() { return state_->step(); }

}  // namespace writeahead
