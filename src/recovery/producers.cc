// From the newest table to the end of what is numbered.
// Records of one append follow each other in one frame and have the same mark, and no two appends
// have the same.
#include "recovery/producers.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "segment/segment_scan.h"

namespace writeahead::internal {
namespace {

/// The frames of one segment, which have to be there up to its end.
class Walk {
 public:
  Walk(std::shared_ptr<SegmentReader> reader, const Stretch& stretch)
      : stretch_(stretch),
        frames_(std::move(reader), SegmentBinding::of(stretch.header.log_id, stretch.header.number),
                stretch.header.base_lsn, ReadSource::device),
        at_(stretch.header.base_lsn),
        ordinal_(stretch.header.base_ordinal) {}

  /// The next frame; nothing at the end.
  Result<std::optional<Frame>> next() {
    if (at_ >= stretch_.end_lsn) return std::nullopt;
    auto frame = frames_.at(at_, frames_end_of(stretch_.header));
    if (!frame) return frame;
    const bool is_next = *frame && (*frame)->header.kind == FrameKind::data &&
                         (*frame)->header.first_ordinal == ordinal_;
    if (!is_next) return std::unexpected(damage("the frame does not continue the log"));
    at_ = (*frame)->end_lsn();
    ordinal_ += (*frame)->header.record_count;
    return frame;
  }

  /// Takes in the table of a frame.
  static void take_table(const Frame& frame, ProducerBook& book) {
    auto table = producer_table_of(frame.header, frame.bytes);
    for (; !table.empty(); table = table.subspan(kProducerEntryBytes)) {
      book.reserve();
      book.note(decode_producer_entry(table));
    }
  }

  /// Takes in the appends of a frame.
  Result<void> take_records(const Frame& frame, ProducerBook& book) {
    std::optional<ProducerEntry> append;  // whose records are being walked
    const auto note = [&] {
      if (append && append->range.end_lsn <= stretch_.end_lsn) {
        book.reserve();
        book.note(*append);
      }
      append.reset();
    };
    FrameWalk walk(frame.header, frame.bytes, frames_.binding());
    for (uint64_t ordinal = frame.header.first_ordinal; walk.next(); ++ordinal) {
      const Mark mark = walk.record().mark();
      if (append && mark != append->last) note();
      if (mark && !append) {
        append = {.last = *mark,
                  .range = {.first_lsn = walk.lsn(), .end_lsn = {}, .first_ordinal = ordinal}};
      }
      if (append) append->range.end_lsn = walk.end_lsn();
    }
    note();
    if (walk.is_whole()) return {};
    at_ = frame.header.lsn;
    return std::unexpected(damage("the frame does not verify"));
  }

 private:
  Error damage(std::string cause) {
    return to_error({.path = frames_.segment().path(),
                     .offset = segment_offset(stretch_.header.base_lsn, at_),
                     .lsn = at_,
                     .what = std::move(cause)},
                    "read producers");
  }

  const Stretch& stretch_;
  FrameSource frames_;
  Lsn at_;
  uint64_t ordinal_;
};

Result<Walk> walk_of(SegmentStore& store, const Stretch& stretch) {
  auto reader = store.open(stretch.header.number);
  if (!reader) return std::unexpected(reader.error());
  return Walk(std::move(*reader), stretch);
}

/// Whether all that went before is in this segment's first frame. One that a salvage wrote may lack
/// the frame that had the table.
Result<bool> has_all_before(SegmentStore& store, const Stretch& stretch) {
  if (stretch.end_lsn == stretch.header.base_lsn) return false;
  if (stretch.header.cause != SegmentCause::salvage) return true;
  auto walk = walk_of(store, stretch);
  if (!walk) return std::unexpected(walk.error());
  const auto frame = walk->next();
  if (!frame) return std::unexpected(frame.error());
  return (*frame)->header.table_bytes != 0;
}

}  // namespace

Result<bool> has_numbers(FrameSource& frames, Lsn begin, Lsn end) {
  while (begin < end) {
    auto frame = frames.at(begin, Lsn(kMaxCounter));
    if (!frame) return std::unexpected(frame.error());
    if (!*frame) return false;
    if ((*frame)->header.table_bytes != 0) return true;
    FrameWalk walk((*frame)->header, (*frame)->bytes, frames.binding());
    while (walk.next()) {
      if (walk.record().header.flags != 0) return true;
    }
    begin = (*frame)->end_lsn();
  }
  return false;
}

Result<ProducerBook> read_producers(SegmentStore& store, std::span<const Stretch> stretches,
                                    Lsn first) {
  ProducerBook book;
  size_t from = stretches.size();
  for (bool has_all = false; from > 0 && !has_all;) {
    auto found = has_all_before(store, stretches[--from]);
    if (!found) return std::unexpected(found.error());
    has_all = *found;
  }
  for (const Stretch& stretch : stretches.subspan(from)) {
    auto walk = walk_of(store, stretch);
    if (!walk) return std::unexpected(walk.error());
    while (true) {
      auto frame = walk->next();
      if (!frame) return std::unexpected(frame.error());
      if (!*frame) break;
      if (&stretch == &stretches[from]) Walk::take_table(**frame, book);
      if (auto taken = walk->take_records(**frame, book); !taken) {
        return std::unexpected(taken.error());
      }
    }
  }
  book.forget_below(first);
  return book;
}

}  // namespace writeahead::internal
