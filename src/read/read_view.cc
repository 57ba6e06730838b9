// Point reads, look-ups by ordinal, and the first-use check of closed segments.
// All of them are a cursor that is placed and asked for one record.
#include "read/read_view.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "segment/closed_segment.h"

namespace writeahead::internal {

Result<RecordView> ReadView::read(Lsn lsn) {
  Cursor cursor(shared_from_this(), lsn);
  auto record = cursor.next();
  if (record && !*record) return std::unexpected(record->error());
  // A position behind a record is good for a reader, which goes on with the next; not for a read.
  if (!record || (*record)->lsn != lsn) {
    return std::unexpected(
        make_error(ErrorCode::not_found, "read log", "no durable record begins here",
                   {.path = store_->path(), .offset = std::nullopt, .lsn = lsn}));
  }
  return std::move(**record);
}

Reader ReadView::reader(Lsn from) {
  return Reader(std::make_unique<Cursor>(shared_from_this(), from));
}

Result<RecordView> ReadView::record_at_ordinal(uint64_t ordinal) {
  const auto refuse = [&](ErrorCode code, std::string_view cause) {
    return std::unexpected(
        make_error(code, fmt::format("find ordinal {}", ordinal), cause, {.path = store_->path()}));
  };
  const auto segment = table_->find_ordinal(ordinal);
  if (ordinal < table_->extent().first.ordinal) {
    return refuse(ErrorCode::trimmed, "the log begins behind it");
  }
  if (!segment) return refuse(ErrorCode::not_found, "no durable record has it");
  Cursor cursor(shared_from_this(), segment->header.base_lsn);
  if (auto sought = cursor.seek_ordinal(*segment, ordinal); !sought) {
    return std::unexpected(sought.error());
  }
  auto record = cursor.next();
  if (!record) return refuse(ErrorCode::not_found, "no durable record has it");
  return std::move(*record);
}

Result<Lsn> ReadView::find_ordinal(uint64_t ordinal) {
  auto record = record_at_ordinal(ordinal);
  if (!record) return std::unexpected(record.error());
  return record->lsn;
}

Result<RecordView> ReadView::last() {
  const LogExtent extent = table_->extent();
  if (extent.end_ordinal == extent.first.ordinal) {
    return std::unexpected(make_error(ErrorCode::not_found, "read last record", "the log is empty",
                                      {.path = store_->path()}));
  }
  return record_at_ordinal(extent.end_ordinal - 1);
}

std::vector<SegmentInfo> ReadView::segments() {
  std::vector<SegmentInfo> infos;
  for (const SegmentView& segment : table_->all()) {
    SegmentInfo info{.number = segment.header.number,
                     .base_lsn = segment.header.base_lsn,
                     .end_lsn = segment.end_lsn,
                     .records = segment.end_ordinal - segment.header.base_ordinal,
                     .state = SegmentInfo::State::active,
                     .bytes = segment.header.prepared_bytes};
    if (auto reader = table_->reader(*store_, segment.header.number)) {
      info.bytes = (*reader)->bytes();
      if (segment.is_cut) {
        info.state = SegmentInfo::State::closed;
      } else if (segment.is_closed) {
        FrameSource source(*reader, segment.binding, segment.header.base_lsn, ReadSource::device);
        auto seal = read_seal(source, segment.end_lsn);
        info.state = seal && *seal ? SegmentInfo::State::sealed : SegmentInfo::State::closed;
      }
    }
    infos.push_back(info);
  }
  return infos;
}

Result<std::shared_ptr<SegmentReader>> ReadView::verified_reader(const SegmentView& segment) {
  const uint64_t number = segment.header.number;
  auto reader = table_->reader(*store_, number);
  const auto now = table_->at(number);
  if (!now) return std::unexpected(table_->gone(*store_, number));
  if (!reader || !now->is_closed || now->is_verified) return reader;
  auto checked = check_closed_segment(*reader, *now, ReadSource::any);
  if (!checked) return std::unexpected(checked.error());
  if (checked->damage) return std::unexpected(to_error(*checked->damage, "read segment"));
  table_->set_verified(number, std::move(checked->contents), checked->is_sealed);
  return reader;
}

}  // namespace writeahead::internal
