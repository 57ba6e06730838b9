// Log: the public face of LogState.
// Here is nothing but the way from each call to the layer that does it.
#include "writeahead/log.h"

#include <utility>

#include "base/error.h"
#include "log_state.h"

namespace writeahead {

using internal::LogState;
using internal::PendingAppend;

Result<Log> Log::open(const std::string& path, const Options& options) {
  auto state = LogState::open(path, options);
  if (!state) return std::unexpected(state.error());
  return Log(std::move(*state));
}

Log::Log(std::unique_ptr<LogState> state) : state_(std::move(state)) {}
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
    [[maybe_unused]] LogState* const abandoned = state_.release();
    return;
  }
  [[maybe_unused]] const auto closed = state_->close();
}

Result<Lsn> Log::append(Payload payload, RecordOptions options) {
  const auto bytes = payload.bytes();
  if (auto admitted = state_->admit(bytes.size()); !admitted) {
    return std::unexpected(admitted.error());
  }
  PendingAppend append(bytes, options.type);
  auto range = state_->append(append);
  if (!range) return std::unexpected(range.error());
  return range->first_lsn;
}

Result<Appended> Log::append(const Batch& batch) {
  // A record that no batch can hold is not in it, but is remembered: that is `too_large`.
  if (batch.is_empty() && internal::BatchAccess::longest(batch) == 0) {
    return std::unexpected(internal::make_error(ErrorCode::invalid_argument, "append batch",
                                                "it holds no record",
                                                {.path = state_->view().store().path()}));
  }
  if (batch.size() > internal::kMaxFrameRecords) {
    return std::unexpected(internal::make_error(ErrorCode::too_large, "append batch",
                                                "it holds more than 2^31 records",
                                                {.path = state_->view().store().path()}));
  }
  if (auto admitted = state_->admit(internal::BatchAccess::longest(batch)); !admitted) {
    return std::unexpected(admitted.error());
  }
  PendingAppend append(batch);
  return state_->append(append);
}

Result<RecordView> Log::read(Lsn lsn) const {
  if (auto refusal = state_->read_refusal()) return std::unexpected(*refusal);
  return state_->view().read(lsn);
}

Reader Log::reader(Lsn from) const {
  if (auto refusal = state_->read_refusal()) {
    return Reader(std::make_unique<internal::Cursor>(*refusal));
  }
  return state_->view().reader(from);
}

Result<Lsn> Log::find_ordinal(uint64_t ordinal) const {
  if (auto refusal = state_->read_refusal()) return std::unexpected(*refusal);
  return state_->view().find_ordinal(ordinal);
}

Result<RecordView> Log::last() const {
  if (auto refusal = state_->read_refusal()) return std::unexpected(*refusal);
  return state_->view().last();
}

Lsn Log::first_lsn() const { return state_->view().first_lsn(); }
Lsn Log::end_lsn() const { return state_->committer().end_lsn(); }
Lsn Log::durable_lsn() const { return state_->committer().durable_lsn(); }
bool Log::is_empty() const { return state_->view().records() == 0; }
uint64_t Log::epoch() const { return state_->view().epoch(); }
Stats Log::stats() const { return state_->stats(); }
const RecoveryReport& Log::recovery_report() const { return state_->report(); }
std::vector<SegmentInfo> Log::segments() const { return state_->view().segments(); }
Result<void> Log::trim_before(Lsn lsn) { return state_->trim_before(lsn); }
Result<void> Log::truncate_from(Lsn lsn) { return state_->truncate_from(lsn); }
Result<Hold> Log::hold(std::string_view name, Lsn lsn) { return state_->hold(name, lsn); }
std::vector<HoldInfo> Log::holds() const { return state_->holds(); }
Result<void> Log::close() { return state_->close(); }
bool Log::step_background() { return state_->step(); }

}  // namespace writeahead
