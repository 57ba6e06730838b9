// Reading and writing a segment's object.
// All that is written goes through write().
#include "segment/rados_store/rados_segment.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "format/segment_header.h"

namespace writeahead::internal {

RadosSegment::RadosSegment(std::shared_ptr<ObjectLog> log, uint64_t number,
                           const SegmentObject& object, bool is_final)
    : log_(std::move(log)),
      number_(number),
      path_(log_->segment_path(number)),
      is_final_(is_final),
      capacity_(std::max(object.capacity, object.length)),
      placed_(object.length),
      length_(object.length) {}

RadosSegment::RadosSegment(std::shared_ptr<ObjectLog> log, uint64_t number)
    : log_(std::move(log)),
      number_(number),
      path_(log_->segment_path(number)),
      is_final_(true),
      placed_(kSegmentHeaderBytes) {}

/// A local segment is as long as its capacity from the beginning, and zero behind what was
/// appended; so it is here. Where the end is known nobody is asked for zeros.
Result<void> RadosSegment::read(uint64_t offset, std::span<std::byte> out, ReadSource) {
  if (offset > capacity_ || out.size() > capacity_ - offset) {
    return std::unexpected(make_error(ErrorCode::io, "read segment", "the segment ends before",
                                      {.path = path_, .offset = offset}));
  }
  const uint64_t length = length_.load(std::memory_order_acquire);
  const uint64_t there =
      is_final_ ? std::min<uint64_t>(length - std::min(length, offset), out.size()) : out.size();
  std::ranges::fill(out.subspan(there), std::byte{0});
  return there == 0 ? Result<void>{} : log_->read(number_, offset, out.first(there));
}

void RadosSegment::place(uint64_t at, AppendBuffer& buffer) {
  // Anything but an append would be a wrong write; the store would refuse it, too.
  WRITEAHEAD_CHECK(at == placed_ && at >= kSegmentHeaderBytes);
  WRITEAHEAD_CHECK(at + buffer.frame().size() <= capacity_);
  placed_ = at + buffer.frame().size();
}

Result<void> RadosSegment::write(uint64_t at, AppendBuffer& buffer, WriteMode) {
  if (buffer.has_header()) {
    const auto block = buffer.header_block();
    const auto decoded = decode_segment_header(block);
    WRITEAHEAD_CHECK(decoded.state == HeaderState::valid);
    // CRASH: the object may be there without being named by the head. Nothing was appended to it,
    // and the next owner makes its own of it.
    auto created = log_->create_segment(
        number_, block, {.capacity = capacity_, .base_lsn = decoded.header.base_lsn});
    if (!created) return created;
    // CRASH: the log has a last segment without a record.
    if (auto named = log_->set_active(number_); !named) return named;
  }
  if (buffer.frame().empty()) return {};
  // CRASH: the frame is there whole, or not; nobody was told yet.
  auto appended = log_->append(number_, at, buffer.frame());
  if (appended) length_.store(at + buffer.frame().size(), std::memory_order_release);
  if (!appended && appended.error().code() == ErrorCode::no_space) placed_ = at;
  return appended;
}

Result<uint64_t> RadosSegment::fill_slice(uint64_t bytes, uint64_t) {
  capacity_ = std::max(capacity_, bytes);
  return capacity_;
}

/// What is there was appended by changes that were made: there is nothing to cut or to make
/// durable.
Result<void> RadosSegment::settle(uint64_t, uint64_t end, uint64_t cut_end) {
  WRITEAHEAD_CHECK(cut_end <= end && end == length_.load());
  return {};
}

}  // namespace writeahead::internal
