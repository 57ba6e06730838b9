// A cursor beside whoever appends, trims and truncates meanwhile.
// What was taken away is told as that, and never as damage.
#include <utility>

#include "base/error.h"
#include "read/cursor.h"
#include "read/read_view.h"

namespace writeahead::internal {

static constexpr int kAttempts = 3;  // at a log whose writer takes away what is to be read

Progress& Cursor::progress() const {
  return includes_unsynced_ ? view_->progress().written() : view_->progress();
}

std::optional<Result<RecordView>> Cursor::wait_next(const std::stop_token& stop,
                                                    Deadline deadline) {
  while (!stop.stop_requested()) {
    if (state_ == State::ended) return std::unexpected(*refusal_);
    if (auto record = next(); record || refusal_) return record;
    // Both are asked before the look: whatever becomes durable behind it changes the count, and
    // nothing does once there is an ending.
    Progress& progress = this->progress();
    const uint64_t seen = progress.changes();
    const auto refreshed = progress.refresh();
    const auto ending = refreshed ? progress.ending() : std::optional(refreshed.error());
    if (auto record = next()) return record;
    if (ending) {
      state_ = State::ended;
      refusal_ = ending;
    } else if (progress.wait(seen, deadline, stop) == Progress::Outcome::timed_out) {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

/// What is not durable is shown only as long as the log has not failed: then nobody knows what will
/// be left of it. And nobody was promised that it is there, so that it cannot be damaged.
Result<bool> Cursor::step_unsynced(RecordView& record) {
  auto stepped = step(record);
  const Lsn durable = view_->durable_lsn();
  const bool is_durable = stepped ? *stepped && position_ <= durable : frame_lsn_ < durable;
  if (is_durable) return stepped;
  if (auto ending = progress().ending(); ending && ending->code() == ErrorCode::failed) {
    return std::unexpected(*ending);
  }
  if (stepped || stepped.error().code() != ErrorCode::corruption) return stepped;
  return std::unexpected(with_code(stepped.error(), ErrorCode::io));
}

/// In another process than the writer's, bytes may be taken away at any time: that is found out
/// before a record is handed out, and before anything is called damage.
Result<bool> Cursor::step_beside_writer(RecordView& record) {
  if (view_->is_own()) return step_in_own(record);
  Progress& progress = view_->progress();
  const Lsn before = position_;
  for (int attempt = 1;; ++attempt) {
    auto stepped = step(record);
    if (stepped) {
      if (!*stepped) return stepped;
      if (auto confirmed = progress.confirm(); !confirmed) {
        return std::unexpected(confirmed.error());
      }
      if (view_->table().truncations() == truncations_) return stepped;
    } else {
      if (attempt == kAttempts || !ReadView::may_be_gone(stepped.error())) return stepped;
      if (auto checked = progress.recheck(); !checked) return std::unexpected(checked.error());
    }
    // From where it was, in the log as it is now.
    position_ = before;
    forget_place();
  }
}

void Cursor::forget_place() {
  walk_.reset();
  source_.reset();
  segment_ = {};
  state_ = State::unplaced;
}

/// An object that was trimmed is gone for who reads it, too; who looks for his place is told so.
Result<bool> Cursor::step_in_own(RecordView& record) {
  const auto step_on = includes_unsynced_ ? &Cursor::step_unsynced : &Cursor::step;
  auto stepped = (this->*step_on)(record);
  if (stepped || !is_gone(stepped.error())) return stepped;
  forget_place();
  return (this->*step_on)(record);
}

/// Lsns are used again behind a truncation: whoever stands above its end is told, and whoever does
/// not begins anew, since frames and segments may end elsewhere now.
Result<void> Cursor::follow_truncation() {
  const uint64_t count = view_->table().truncations();
  if (count == truncations_) return {};
  if (position_ > view_->table().lowest_end_since(truncations_)) {
    return std::unexpected(
        make_error(ErrorCode::truncated, "read log", "the log was truncated below this position",
                   {.path = view_->store().path(), .offset = std::nullopt, .lsn = position_}));
  }
  truncations_ = count;
  walk_.reset();
  state_ = State::unplaced;
  return {};
}

}  // namespace writeahead::internal
