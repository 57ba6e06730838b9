// Sealer: writes the seals of segments that got a successor.
//
// A seal is issued only after the first frame of the next segment is durable, so that it proves
// that there is one. It takes no part in any acknowledgement and may be written at any later time.
#pragma once

#include <cstdint>
#include <memory>

#include "segment/append_buffer.h"
#include "segment/segment_store.h"
#include "segment/segment_table.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// Used by one thread at a time.
class Sealer {
 public:
  /// `alignment`: Options::frame_alignment. A seal that would share a unit with a durable frame is
  /// left out then.
  Sealer(SegmentStore& store, SegmentTable& table, uint64_t epoch, uint64_t alignment)
      : store_(store), table_(table), alignment_(alignment), epoch_(epoch) {}

  /// Writes one seal that is due; false if there is none, or no space for it now. The error of a
  /// write, which fails the log; a segment that cannot be opened or read goes without a seal for
  /// now, which harms nothing.
  [[nodiscard]] Result<bool> step();
  /// A truncation began another epoch.
  void set_epoch(uint64_t epoch) { epoch_ = epoch; }
  [[nodiscard]] uint64_t seals_written() const { return seals_written_; }

 private:
  void examine_predecessor();
  [[nodiscard]] Result<bool> seal(const SegmentView& segment);

  SegmentStore& store_;
  SegmentTable& table_;
  const uint64_t alignment_;
  uint64_t epoch_;
  bool has_examined_ = false;
  uint64_t seals_written_ = 0;
  AppendBuffer buffer_;
};

}  // namespace writeahead::internal
