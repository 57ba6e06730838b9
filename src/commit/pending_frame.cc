// Places in a frame, and its length.
// Nothing here allocates but reserve().
#include "commit/pending_frame.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace writeahead::internal {

uint64_t frame_bytes(uint64_t offset, uint64_t body_bytes, uint32_t alignment) {
  const uint64_t length = kFrameHeaderBytes + body_bytes;
  const uint64_t unit = length >= kOverlapBytes ? kBlockBytes : alignment;
  return unit == 0 ? length : round_up(offset + length, unit) - offset;
}

void PendingFrame::begin(const SegmentPlace& place, Lsn lsn, uint64_t ordinal, uint32_t alignment,
                         uint64_t table_bytes) {
  table_.resize(table_bytes);
  place_ = place;
  lsn_ = lsn;
  offset_ = kSegmentHeaderBytes + (lsn - place.base_lsn);
  first_ordinal_ = ordinal;
  alignment_ = alignment;
  body_bytes_ = table_bytes;
  length_ = records_ = payload_bytes_ = appends_ = waiters_ = 0;
  first_ = last_ = first_waiter_ = nullptr;
  level = Durability::buffered;
  is_closed = is_due = begins_segment = is_done = false;
  async_bytes = opened_ns = digest = 0;
}

bool PendingFrame::has_room(uint64_t bytes, uint64_t records) const {
  if (is_closed) return false;
  if (records == 0) return true;
  if (place_.writer == nullptr) return false;
  if (records_ != 0 && body_bytes_ + bytes > kMaxGroupBytes) return false;
  return offset_ + frame_bytes(offset_, body_bytes_ + bytes, alignment_) <= place_.frames_end &&
         records_ + records <= kMaxFrameRecords;
}

void PendingFrame::reserve(uint64_t bytes) {
  buffer.reserve(frame_bytes(offset_, body_bytes_ + bytes, alignment_));
}

void PendingFrame::take_room(uint64_t bytes, uint64_t records) {
  body_bytes_ += bytes;
  records_ += records;
  if (records_ != 0) length_ = frame_bytes(offset_, body_bytes_, alignment_);
}

void PendingFrame::join(PendingAppend& append) {
  const Lsn lsn = lsn_ + (kFrameHeaderBytes + body_bytes_);
  append.range = {.first_lsn = lsn,
                  .end_lsn = lsn + append.encoded_bytes(),
                  .first_ordinal = first_ordinal_ + records_};
  append.next = nullptr;
  (last_ == nullptr ? first_ : last_->next) = &append;
  last_ = &append;
  if (!append.is_async()) {
    ++waiters_;
    if (first_waiter_ == nullptr) first_waiter_ = &append;
  }
  take_room(append.encoded_bytes(), append.record_count());
  payload_bytes_ += append.payload_bytes();
  if (append.record_count() != 0) ++appends_;
}

AsyncAppends* PendingFrame::growing() const {
  if (is_closed || last_ == nullptr || !last_->is_async()) return nullptr;
  return static_cast<AsyncAppends*>(last_);
}

void PendingFrame::grow(uint64_t bytes, uint64_t records, uint64_t payload_bytes) {
  take_room(bytes, records);
  payload_bytes_ += payload_bytes;
  ++appends_;
}

PendingAppend* PendingFrame::release() {
  place_ = {};
  table_ = {};
  last_ = first_waiter_ = nullptr;
  return std::exchange(first_, nullptr);
}

}  // namespace writeahead::internal
