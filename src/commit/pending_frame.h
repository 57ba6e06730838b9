// PendingFrame: a frame from its first append until it is done.
//
// It is open while appends join it, then closed, issued, and completed. Joining gives a record its
// place, so whatever an issued frame needs, memory too, is there before.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "commit/async_appends.h"
#include "commit/pending_append.h"
#include "format/frame.h"
#include "segment/append_buffer.h"
#include "segment/segment_store.h"
#include "segment/segment_table.h"
#include "writeahead/durability.h"
#include "writeahead/lsn.h"

namespace writeahead::internal {

/// A frame's count of records has 32 bits; this leaves room to add without a look at overflow.
inline constexpr uint64_t kMaxFrameRecords = 1ULL << 31;
/// Frames of this size on are padded to a whole block, so that the next one may be in flight
/// beside them: two writes in flight must never share a block.
inline constexpr uint64_t kOverlapBytes = 64ULL << 10;
/// Appends join a frame up to here; a single larger one has a frame of its own.
inline constexpr uint64_t kMaxGroupBytes = 1ULL << 20;

/// A segment that frames are being placed in.
struct SegmentPlace {
  std::shared_ptr<SegmentWriter> writer;  ///< Null: there is no segment yet.
  uint64_t number = 0;
  Lsn base_lsn;
  uint64_t frames_end = 0;   ///< Offset at which its frames have to end.
  bool is_numbered = false;  ///< It takes appends of producers.
};

/// Bytes of a frame with such a body that begins at `offset` of its segment, with its padding.
/// `alignment`: what Options::frame_alignment says.
[[nodiscard]] uint64_t frame_bytes(uint64_t offset, uint64_t body_bytes, uint32_t alignment);

class PendingFrame {
 public:
  /// Begins again, empty but for a producer table of so many bytes, at `lsn`.
  void begin(const SegmentPlace& place, Lsn lsn, uint64_t ordinal, uint32_t alignment,
             uint64_t table_bytes);
  /// The table, which whoever began the frame fills in.
  [[nodiscard]] std::span<std::byte> table() { return table_; }
  /// Offset in the segment.
  [[nodiscard]] uint64_t offset() const { return offset_; }
  [[nodiscard]] Lsn lsn() const { return lsn_; }
  /// Bytes it takes as it stands; 0 without a record.
  [[nodiscard]] uint64_t length() const { return length_; }
  [[nodiscard]] Lsn end_lsn() const { return lsn_ + length_; }
  [[nodiscard]] uint64_t first_ordinal() const { return first_ordinal_; }
  [[nodiscard]] uint64_t records() const { return records_; }
  [[nodiscard]] uint64_t end_ordinal() const { return first_ordinal_ + records_; }
  [[nodiscard]] uint64_t payload_bytes() const { return payload_bytes_; }
  [[nodiscard]] uint64_t appends() const { return appends_; }
  /// Appends whose threads wait.
  [[nodiscard]] uint64_t waiters() const { return waiters_; }
  [[nodiscard]] const SegmentPlace& place() const { return place_; }

  /// Whether records of so many bytes may join.
  [[nodiscard]] bool has_room(uint64_t bytes, uint64_t records) const;
  /// Makes sure of the memory for them; throws std::bad_alloc.
  void reserve(uint64_t bytes);
  /// Takes an append in, which gets its place. Allocates nothing after reserve().
  void join(PendingAppend& append);
  /// The AsyncAppends that may take more records, if the last append is one.
  [[nodiscard]] AsyncAppends* growing() const;
  /// More records, of so many bytes, were added to growing().
  void grow(uint64_t bytes, uint64_t records, uint64_t payload_bytes);

  /// The first one whose thread waits; null if there is none.
  [[nodiscard]] PendingAppend* first_waiter() const { return first_waiter_; }
  [[nodiscard]] PendingAppend* first() const { return first_; }
  /// Gives up the appends, linked by next, and the segment, which could not be recycled else.
  [[nodiscard]] PendingAppend* release();

  // What becomes of it; the committer's.
  Durability level = Durability::buffered;  ///< The strongest that was asked for.
  bool is_closed = false;                   ///< Nothing joins any more.
  bool is_due = false;                      ///< Somebody wants it to be written now.
  bool begins_segment = false;
  bool is_done = false;             ///< Its write returned.
  uint64_t async_bytes = 0;         ///< What it holds of the budget.
  uint64_t opened_ns = 0;           ///< When its first append came.
  SegmentTable::Addition addition;  ///< If it begins a segment.
  AppendBuffer buffer;
  FrameHeader header;   ///< Once it was built.
  uint64_t digest = 0;  ///< Likewise: of the segment up to its end.

 private:
  void take_room(uint64_t bytes, uint64_t records);

  SegmentPlace place_;
  Lsn lsn_;
  uint64_t offset_ = 0;
  uint64_t first_ordinal_ = 0;
  uint32_t alignment_ = 0;
  std::vector<std::byte> table_;
  uint64_t body_bytes_ = 0;  // with the table
  uint64_t length_ = 0;
  uint64_t records_ = 0;
  uint64_t payload_bytes_ = 0;
  uint64_t appends_ = 0;
  uint64_t waiters_ = 0;
  PendingAppend* first_ = nullptr;
  PendingAppend* last_ = nullptr;
  PendingAppend* first_waiter_ = nullptr;
};

}  // namespace writeahead::internal
