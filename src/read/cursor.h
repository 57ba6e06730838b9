// Cursor: walks the records of a log from a position on. The engine below Reader and point reads.
//
// It goes frame by frame through a segment and from a closed segment to its successor, verifies
// everything it hands out, and stops at what is durable, or, in the writer's own process and if
// asked to, at what was written. Not thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>

#include "format/frame.h"
#include "read/progress.h"
#include "segment/frame_source.h"
#include "segment/segment_table.h"
#include "writeahead/lsn.h"
#include "writeahead/reader.h"
#include "writeahead/result.h"

namespace writeahead::internal {

class ReadView;

class Cursor {
 public:
  Cursor(std::shared_ptr<ReadView> view, Lsn from, ReaderOptions options = {});
  /// A cursor that has nothing but this error.
  explicit Cursor(const Error& refusal);

  /// The next record; nothing at the durable end; an error once and nothing from then on.
  [[nodiscard]] std::optional<Result<RecordView>> next();
  /// The same in the place of the record before, which is quicker while both lie in the same
  /// memory.
  void advance(std::optional<Result<RecordView>>& record);
  /// The same, but waits at the durable end; nothing if it was stopped or the time is over. An
  /// error is told again at each call.
  [[nodiscard]] std::optional<Result<RecordView>> wait_next(const std::stop_token& stop,
                                                            Deadline deadline);
  [[nodiscard]] Lsn position() const { return position_; }
  /// Begins again, at the record with this number, which exists in `segment`.
  [[nodiscard]] Result<void> seek_ordinal(const SegmentView& segment, uint64_t ordinal);
  /// Begins again, at the first record that is of that time or later and not before `segment`.
  /// False if there is none.
  [[nodiscard]] Result<bool> seek_time(const SegmentView& segment, uint64_t time_ns);

 private:
  enum class State { unplaced, between_frames, in_frame, ended };

  [[nodiscard]] Progress& progress() const;
  [[nodiscard]] bool step_ahead(RecordView& record);
  [[nodiscard]] Result<std::shared_ptr<SegmentReader>> reader_of(const SegmentView& segment);
  [[nodiscard]] std::optional<SegmentView> as_far_as_shown(std::optional<SegmentView> view) const;
  [[nodiscard]] Result<void> follow_truncation();
  [[nodiscard]] Result<void> place();
  [[nodiscard]] Result<void> place_once();
  [[nodiscard]] Result<void> enter_segment(const SegmentView& segment, const IndexEntry& start);
  [[nodiscard]] Result<bool> enter_frame();
  [[nodiscard]] Result<bool> advance_segment();
  // These write the next record over `record`; false at the end.
  [[nodiscard]] Result<bool> step(RecordView& record);
  [[nodiscard]] Result<bool> step_beside_writer(RecordView& record);
  [[nodiscard]] Result<bool> step_in_own(RecordView& record);
  void forget_place();
  [[nodiscard]] Result<bool> step_unsynced(RecordView& record);
  void show_current(RecordView& record);
  [[nodiscard]] Error corruption(std::string_view cause) const;

  std::shared_ptr<ReadView> view_;
  bool includes_unsynced_ = false;
  std::optional<Error> refusal_;  // the error that ends the cursor
  State state_ = State::unplaced;
  uint64_t truncations_ = 0;   // of the log, as far as they were heeded
  Lsn position_;               // behind the last record handed out
  Lsn frame_lsn_;              // of the frame being walked, or of the next one
  uint64_t next_ordinal_ = 0;  // of the next frame
  uint64_t last_epoch_ = 0;
  SegmentView segment_;
  std::shared_ptr<SegmentReader> verified_;  // all of it, where it is mapped, by this cursor
  std::optional<FrameSource> source_;
  Frame frame_;
  std::optional<FrameWalk> walk_;
  uint64_t records_walked_ = 0;  // of frame_
};

}  // namespace writeahead::internal
