// SalvagedLog: the new log that a salvage writes.
//
// Its directory says from the first moment that a salvage makes it, and does not open before the
// root is durable, which is written last. Frames get the checksums of the new log and of their new
// segment; everything else in them stays, their addresses above all.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "format/frame.h"
#include "format/root_slot.h"
#include "recovery/salvage_plan.h"
#include "segment/append_buffer.h"
#include "segment/file_store.h"
#include "segment/frame_source.h"
#include "segment/segment_scan.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// What a segment begins with.
struct SegmentStart {
  Lsn lsn;
  uint64_t ordinal = 0;
  uint64_t epoch = 0;
  uint64_t time_ns = 0;
  bool is_numbered = false;
};

class SalvagedLog {
 public:
  /// Makes the directory. `invalid_argument` if something is in it.
  [[nodiscard]] static Result<SalvagedLog> begin(Env& env, const std::string& path,
                                                 uint32_t file_mode);

  /// Adds a segment with the frames of `run`, which `source` reads; durable but for its name.
  /// `is_numbered`: they may have appends of producers. `is_sealed`: another segment with frames
  /// follows.
  [[nodiscard]] Result<void> add(const SalvageRun& run, FrameSource& source, bool is_numbered,
                                 bool is_sealed);
  /// Adds a segment without frames: the log began here, or goes on here.
  [[nodiscard]] Result<void> add_empty(const SegmentStart& start);
  /// Makes it a log that was closed, and gives it up. `root` says what the segments do not.
  [[nodiscard]] Result<void> finish(RootState root);

  [[nodiscard]] uint64_t segments() const { return number_; }

 private:
  explicit SalvagedLog(std::unique_ptr<FileStore> store) : store_(std::move(store)) {}
  [[nodiscard]] Result<void> begin_segment(const SegmentStart& start, uint64_t frame_bytes);
  [[nodiscard]] Result<void> end_segment();
  [[nodiscard]] bool take(const Frame& frame, const SegmentBinding& from, Lsn end);
  [[nodiscard]] Result<void> flush();

  std::unique_ptr<FileStore> store_;
  Identifier log_id_{};
  uint64_t number_ = 0;  // of the segment that was added last
  SegmentHeader header_;
  SegmentBinding binding_;
  SegmentContents contents_;
  std::shared_ptr<SegmentWriter> writer_;
  uint64_t written_ = 0;            // offset in its file
  std::vector<std::byte> pending_;  // frames that are to be written there
  AppendBuffer buffer_;
};

}  // namespace writeahead::internal
