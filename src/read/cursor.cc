// Placing a cursor and moving it.
// What lies below the durable end has to verify: anything else is corruption, never an end.
#include "read/cursor.h"

#include <new>
#include <utility>

#include "base/error.h"
#include "read/read_view.h"

namespace writeahead::internal {

Cursor::Cursor(std::shared_ptr<ReadView> view, Lsn from, ReaderOptions options)
    : view_(std::move(view)),
      includes_unsynced_(options.include_unsynced),
      truncations_(view_->table().truncations()),
      position_(from) {}

Cursor::Cursor(const Error& refusal) : refusal_(refusal) {}

std::optional<Result<RecordView>> Cursor::next() {
  std::optional<Result<RecordView>> record(std::in_place);
  advance(record);
  return record;
}

void Cursor::advance(std::optional<Result<RecordView>>& record) {
  if (record && *record && step_ahead(**record)) return;
  if (state_ == State::ended) return record.reset();
  if (!refusal_) refusal_ = view_->progress().refusal();
  if (!record || !*record) record.emplace();
  Result<bool> stepped = false;
  try {
    stepped = refusal_ ? std::unexpected(*refusal_) : step_beside_writer(**record);
  } catch (const std::bad_alloc&) {
    state_ = State::ended;  // Half a placing must not look like a whole one.
    throw;
  }
  if (!stepped) {
    state_ = State::ended;
    refusal_ = stepped.error();
    record.emplace(std::unexpected(stepped.error()));
  } else if (!*stepped) {
    record.reset();
  }
}

/// Most records were verified together with one before them: there is nothing more to do for them,
/// unless something happened to the log. False if that is not sure; then nothing was done.
bool Cursor::step_ahead(RecordView& record) {
  if (state_ != State::in_frame || includes_unsynced_ || segment_.is_cut) return false;
  if (!view_->progress().is_undisturbed()) return false;
  if (view_->table().truncations() != truncations_ || !walk_->next_ahead()) return false;
  ++records_walked_;
  position_ = walk_->end_lsn();
  show_current(record);
  return true;
}

/// A segment with the end that this cursor goes to.
std::optional<SegmentView> Cursor::as_far_as_shown(std::optional<SegmentView> view) const {
  if (view && includes_unsynced_) view->end_lsn = view_->table().written_end(*view);
  return view;
}

Result<bool> Cursor::step(RecordView& record) {
  if (auto followed = follow_truncation(); !followed) return std::unexpected(followed.error());
  if (state_ == State::unplaced) {
    if (auto placed = place(); !placed) return std::unexpected(placed.error());
  }
  while (true) {
    if (state_ == State::in_frame) {
      if (walk_->next()) {
        ++records_walked_;
        // Behind a cut: the rest of the frame only has to verify.
        if (segment_.is_cut && walk_->lsn() >= segment_.end_lsn) continue;
        position_ = walk_->end_lsn();
        show_current(record);
        return true;
      }
      if (!walk_->is_whole()) return std::unexpected(corruption("the frame does not verify"));
      frame_lsn_ = frame_.end_lsn();
      next_ordinal_ += frame_.header.record_count;
      state_ = State::between_frames;
      // The record before is not shown any more: what held it may hold the next.
      record.pin.reset();
    }
    auto entered = frame_lsn_ < segment_.end_lsn ? enter_frame() : advance_segment();
    if (!entered) return std::unexpected(entered.error());
    if (!*entered) return false;
  }
}

/// Into the frame at frame_lsn_, which lies below the segment's end and so has to be there.
Result<bool> Cursor::enter_frame() {
  walk_.reset();
  auto frame = source_->at(frame_lsn_, segment_.frames_end());
  if (!frame) return std::unexpected(frame.error());
  if (!*frame) return std::unexpected(corruption("no frame header verifies"));
  frame_ = **frame;
  if (frame_.header.kind != FrameKind::data || frame_.header.epoch < last_epoch_ ||
      frame_.header.first_ordinal != next_ordinal_) {
    return std::unexpected(corruption("the frame does not continue the log"));
  }
  last_epoch_ = frame_.header.epoch;
  const bool is_verified = &source_->segment() == verified_.get();
  walk_.emplace(frame_.header, frame_.bytes, source_->binding(),
                is_verified ? FrameTrust::is_verified : FrameTrust::none);
  records_walked_ = 0;
  state_ = State::in_frame;
  return true;
}

/// From a segment's end to its successor's base, or to what became durable since.
Result<bool> Cursor::advance_segment() {
  const uint64_t number = segment_.header.number;
  // The successor is looked up first: once there is one, this segment's end is final. The other way
  // round, frames that become durable between the two look-ups would be passed over.
  const auto successor = as_far_as_shown(view_->table().after(number));
  const auto now = as_far_as_shown(view_->table().at(number));
  if (now && now->end_lsn > segment_.end_lsn) {
    segment_ = *now;
    return true;
  }
  if (!successor) return false;
  if (successor->header.predecessor_end_lsn() != segment_.end_lsn) {
    const bool is_trimmed = successor->header.base_lsn > segment_.end_lsn;
    return std::unexpected(
        make_error(is_trimmed ? ErrorCode::trimmed : ErrorCode::truncated, "read log",
                   "what follows was taken away meanwhile",
                   {.path = view_->store().path(), .offset = std::nullopt, .lsn = position_}));
  }
  const IndexEntry start{.lsn = successor->header.base_lsn,
                         .first_ordinal = successor->header.base_ordinal,
                         .time_ns = 0};
  if (auto entered = enter_segment(*successor, start); !entered) {
    return std::unexpected(entered.error());
  }
  return true;
}

/// The segment, with its contents known. If it took this cursor to verify all of it, and it is
/// mapped, so that nobody can change its bytes, it is not verified once more record by record: what
/// the device might show later it might also show in a view that is kept.
Result<std::shared_ptr<SegmentReader>> Cursor::reader_of(const SegmentView& segment) {
  bool is_mapped_now = false;
  auto reader = view_->verified_reader(segment, &is_mapped_now);
  if (reader && is_mapped_now) verified_ = *reader;
  return reader;
}

Result<void> Cursor::enter_segment(const SegmentView& segment, const IndexEntry& start) {
  walk_.reset();
  auto reader = reader_of(segment);
  if (!reader) return std::unexpected(reader.error());
  if (*reader != verified_) verified_.reset();
  segment_ = segment;
  source_.emplace(std::move(*reader), segment.binding, segment.header.base_lsn, ReadSource::any);
  frame_lsn_ = start.lsn;
  next_ordinal_ = start.first_ordinal;
  last_epoch_ = segment.header.epoch;
  state_ = State::between_frames;
  return {};
}

/// The segment that was looked up may leave the log before it is entered, and the position still be
/// good: as the end of what was trimmed, or of what a truncation left.
Result<void> Cursor::place() {
  while (true) {
    auto placed = place_once();
    if (placed) return placed;
    const ErrorCode code = placed.error().code();
    const bool is_overtaken =
        (code == ErrorCode::trimmed && position_ >= view_->first_lsn()) ||
        (code == ErrorCode::truncated && view_->table().truncations() != truncations_);
    if (!is_overtaken) return placed;
    if (auto followed = follow_truncation(); !followed) return followed;
  }
}

Result<void> Cursor::place_once() {
  const Lsn from = position_;
  const auto not_found = [&](std::string_view cause = "no record begins here") {
    return std::unexpected(
        make_error(ErrorCode::not_found, "read log", cause,
                   {.path = view_->store().path(), .offset = std::nullopt, .lsn = from}));
  };
  // Looked up before the first Lsn is asked for: what a trim takes in between shows as trimmed.
  const auto segment = as_far_as_shown(view_->table().find(from));
  if (from < view_->first_lsn()) {
    return std::unexpected(
        make_error(ErrorCode::trimmed, "read log", "the log begins behind this address",
                   {.path = view_->store().path(), .offset = std::nullopt, .lsn = from}));
  }
  if (!segment) {
    // A log without a segment has one valid position: where its first record will go.
    if (from != view_->first_lsn()) return not_found();
    frame_lsn_ = from;
    segment_.end_lsn = from;
    return {};
  }
  if (from > segment->end_lsn) {
    const bool is_between = view_->table().after(segment->header.number).has_value();
    return is_between ? not_found("what stood here was lost before a salvage") : not_found();
  }
  // The index of a closed segment is known once it was read.
  if (auto reader = reader_of(*segment); !reader) {
    return std::unexpected(reader.error());
  }
  const IndexEntry start = view_->table().search_start(*segment, from);
  if (auto entered = enter_segment(*segment, start); !entered) return entered;
  while (frame_lsn_ < from) {
    if (auto entered = enter_frame(); !entered) return std::unexpected(entered.error());
    if (frame_.end_lsn() > from) {
      // Inside of this frame: at a record, or directly behind its last one.
      Lsn at = frame_lsn_ + frame_.header.records_begin();
      while (at < from && walk_->skip()) {
        ++records_walked_;
        at = walk_->end_lsn();
      }
      if (at == from) return {};
      // Either no record begins there, or a length on the way is damaged: the whole frame tells.
      walk_.emplace(frame_.header, frame_.bytes, source_->binding());
      while (walk_->next()) {
      }
      if (!walk_->is_whole()) return std::unexpected(corruption("the frame does not verify"));
      return not_found();
    }
    frame_lsn_ = frame_.end_lsn();
    next_ordinal_ += frame_.header.record_count;
    state_ = State::between_frames;
  }
  return {};
}

Result<void> Cursor::seek_ordinal(const SegmentView& segment, uint64_t ordinal) {
  if (auto reader = reader_of(segment); !reader) {
    return std::unexpected(reader.error());
  }
  const IndexEntry start = view_->table().search_start_ordinal(segment, ordinal);
  if (auto entered = enter_segment(segment, start); !entered) return entered;
  while (true) {
    if (frame_lsn_ >= segment_.end_lsn) {
      return std::unexpected(corruption("the segment ends before this ordinal"));
    }
    if (auto entered = enter_frame(); !entered) return std::unexpected(entered.error());
    if (next_ordinal_ + frame_.header.record_count > ordinal) break;
    frame_lsn_ = frame_.end_lsn();
    next_ordinal_ += frame_.header.record_count;
  }
  position_ = frame_lsn_ + frame_.header.records_begin();
  while (next_ordinal_ + records_walked_ < ordinal) {
    if (!walk_->skip()) return std::unexpected(corruption("the frame does not verify"));
    ++records_walked_;
    position_ = walk_->end_lsn();
  }
  return {};
}

Result<bool> Cursor::seek_time(const SegmentView& segment, uint64_t time_ns) {
  if (auto reader = reader_of(segment); !reader) {
    return std::unexpected(reader.error());
  }
  const IndexEntry start = view_->table().search_start_time(segment.header.number, time_ns);
  if (auto entered = enter_segment(segment, start); !entered) {
    return std::unexpected(entered.error());
  }
  while (true) {
    const bool is_inside = frame_lsn_ < segment_.end_lsn;
    auto entered = is_inside ? enter_frame() : advance_segment();
    if (!entered) return std::unexpected(entered.error());
    if (!*entered) return false;
    if (!is_inside) continue;
    if (frame_.header.time_ns >= time_ns) break;
    frame_lsn_ = frame_.end_lsn();
    next_ordinal_ += frame_.header.record_count;
    state_ = State::between_frames;
  }
  position_ = frame_lsn_ + frame_.header.records_begin();
  return true;
}

void Cursor::show_current(RecordView& record) {
  record.lsn = walk_->lsn();
  record.ordinal = next_ordinal_ + records_walked_ - 1;
  record.time_ns = frame_.header.time_ns;
  const RecordHeader& header = walk_->record().header;
  record.type = header.type;
  // Not walk_->record().content: to read that back as one, just after it was written in two halves,
  // makes the processor wait for longer than all the rest takes.
  record.payload =
      frame_.bytes.subspan(walk_->lsn() - frame_.header.lsn + kRecordHeaderBytes, header.length);
  record.producer_number.reset();
  if (header.flags != 0) {
    record.producer_number = decode_mark(header, record.payload);
    record.payload = record.payload.subspan(kMarkBytes);
  }
  source_->pin(record.pin);
}

Error Cursor::corruption(std::string_view cause) const {
  return make_error(ErrorCode::corruption, "read log", cause,
                    {.path = source_->segment().path(),
                     .offset = segment_offset(segment_.header.base_lsn, frame_lsn_),
                     .lsn = frame_lsn_});
}

}  // namespace writeahead::internal
