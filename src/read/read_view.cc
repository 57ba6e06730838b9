// Point reads, look-ups by ordinal and time, and the first-use check of closed segments.
// All of them are a cursor that is placed and asked for one record; but where a segment has a map
// of its records a point read needs none, and only what fails there is searched for, and judged.
#include "read/read_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/error.h"
#include "read/seal_lookup.h"
#include "read/single_record.h"
#include "segment/closed_segment.h"
#include "segment/mapped_segment.h"

namespace writeahead::internal {
namespace {

/// A handle of a segment that nobody has read yet and that may have a seal; null else.
std::shared_ptr<SegmentReader> reader_of_unread(SegmentTable& table, SegmentStore& store,
                                                const SegmentView& segment) {
  if (!segment.is_closed || segment.is_verified || segment.is_cut) return nullptr;
  auto reader = table.reader(store, segment.header.number);
  return reader ? std::move(*reader) : nullptr;
}

}  // namespace

/// No search, no copy, no allocation: the record, which is verified, and the map of records, which
/// was made of verified frames. Nothing if anything is not as it should be, or not known: that is
/// not judged here.
std::optional<RecordView> ReadView::read_mapped(std::shared_ptr<MappedSegment> segment, Lsn lsn) {
  if (!is_own_ && !progress_->is_current()) return std::nullopt;
  const RecordMap* const records = segment->records();
  if (records == nullptr) return std::nullopt;
  const MappedRange& range = segment->range();
  const uint64_t offset = lsn - range.base_lsn;
  const auto frames = segment->all().subspan(kSegmentHeaderBytes, range.end_lsn - range.base_lsn);
  segment->prefetch(lsn);
  segment->note_use();
  const auto place = records->find(offset);
  if (!place) return std::nullopt;
  const VerifiedRecord record =
      verify_record(frames.subspan(offset), lsn, range.binding.segment_seed);
  if (record.encoded_bytes == 0) return std::nullopt;
  return RecordView{.lsn = lsn,
                    .ordinal = range.base_ordinal + place->records_before,
                    .time_ns = place->time_ns,
                    .type = record.header.type,
                    .payload = record.payload(),
                    .producer_number = record.mark(),
                    .pin = std::move(segment)};
}

/// The same where nothing is mapped. What is read may be taken away meanwhile, by this process or
/// by another one: then it is not handed out.
std::optional<RecordView> ReadView::read_placed(Lsn lsn) {
  const uint64_t truncations = table_->truncations();
  auto record = placed_.read(lsn, truncations);
  if (!record || (!is_own_ && !progress_->is_current())) return std::nullopt;
  if (table_->truncations() != truncations) return std::nullopt;
  return record;
}

/// Nothing of the segment but the record. The caller vouches for its address.
std::optional<RecordView> ReadView::read_alone(Lsn lsn) {
  const uint64_t truncations = table_->truncations();
  const auto segment = table_->find(lsn);
  if (!segment || lsn >= segment->end_lsn) return std::nullopt;
  const auto reader = table_->reader(*store_, segment->header.number);
  if (!reader) return std::nullopt;
  auto single = read_single_record(**reader, *segment, lsn);
  if (!single || (!is_own_ && !progress_->is_current())) return std::nullopt;
  if (table_->truncations() != truncations) return std::nullopt;
  return RecordView{.lsn = lsn,
                    .type = single->record.header.type,
                    .payload = single->record.payload(),
                    .producer_number = single->record.mark(),
                    .pin = std::move(single->memory)};
}

/// A segment that was searched often enough earns a map of its records: it takes as long to make
/// as all of these searches took.
void ReadView::count_search(Lsn lsn) {
  const auto segment = table_->mapped().find(lsn);
  if (segment == nullptr) return placed_.count_search(lsn);
  if (!segment->count_search()) return;
  const MappedRange& range = segment->range();
  FrameSource source(segment, range.binding, range.base_lsn, ReadSource::any);
  auto records = RecordMap::build(source, range.base_lsn, range.end_lsn);
  // What is wrong with the segment is found by whoever reads there.
  if (!records || *records == nullptr) return;
  segment->set_records(std::move(*records));
  table_->mapped().limit(*segment);
}

bool ReadView::may_be_gone(const Error& error) {
  return error.code() == ErrorCode::corruption || is_gone(error);
}

/// Before damage is told, the writer is asked whether it took away what was read. Its own readers
/// know; but an object that was trimmed is gone for who has it open, too.
template <class Read>
auto ReadView::read_beside_writer(const Read& read) -> decltype(read()) {
  auto result = read();
  if (result || !may_be_gone(result.error())) return result;
  if (is_own_) return is_gone(result.error()) ? read() : std::move(result);
  if (auto checked = progress_->recheck(); !checked) return std::unexpected(checked.error());
  return read();
}

Result<RecordView> ReadView::read(Lsn lsn, ReadOptions options) {
  if (auto mapped = table_->mapped().find(lsn)) {
    if (auto record = read_mapped(std::move(mapped), lsn)) return std::move(*record);
  }
  if (auto record = read_placed(lsn)) return std::move(*record);
  if (options.record_alone) {
    if (auto record = read_alone(lsn)) return std::move(*record);
  }
  Cursor cursor(shared_from_this(), lsn);
  auto record = cursor.next();
  if (record && !*record) return std::unexpected(record->error());
  // A position behind a record is good for a reader, which goes on with the next; not for a read.
  if (!record || (*record)->lsn != lsn) {
    return std::unexpected(
        make_error(ErrorCode::not_found, "read log", "no durable record begins here",
                   {.path = store_->path(), .offset = std::nullopt, .lsn = lsn}));
  }
  try {
    count_search(lsn);
  } catch (const std::bad_alloc&) {
    return std::move(**record);  // The next ones are searched for, as this one was.
  }
  return std::move(**record);
}

/// The list of mappings holds as long as nothing was truncated since it was taken; what was trimmed
/// meanwhile was there when the call began.
std::vector<Result<RecordView>> ReadView::read_many(std::span<const Lsn> lsns,
                                                    ReadOptions options) {
  // So many that the first one is there when its turn comes, and not so many that it is gone again.
  constexpr size_t kAhead = 12;
  const uint64_t truncations = table_->truncations();
  const auto list = table_->mapped().list();
  const auto is_valid = [&] { return table_->truncations() == truncations; };
  const auto find = [&](size_t i) {
    return list != nullptr ? MappedSegments::find_in(*list, lsns[i]) : nullptr;
  };
  const auto prefetch = [&](size_t i) {
    if (const auto* const segment = find(i)) (*segment)->prefetch(lsns[i]);
  };
  std::vector<Result<RecordView>> records;
  records.reserve(lsns.size());
  for (size_t i = 0; i < std::min(kAhead, lsns.size()); ++i) prefetch(i);
  for (size_t i = 0; i < lsns.size(); ++i) {
    if (lsns.size() - i > kAhead) prefetch(i + kAhead);
    const auto* const segment = find(i);
    auto record = segment != nullptr && is_valid() ? read_mapped(*segment, lsns[i]) : std::nullopt;
    if (record && is_valid()) {
      records.emplace_back(std::move(*record));
    } else {
      records.push_back(read(lsns[i], options));
    }
  }
  return records;
}

Reader ReadView::reader(Lsn from, ReaderOptions options) {
  return Reader(std::make_unique<Cursor>(shared_from_this(), from, options));
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
  if (!segment) {
    const bool is_lost = ordinal < table_->extent().end_ordinal;
    return refuse(ErrorCode::not_found,
                  is_lost ? "its record was lost before a salvage" : "no durable record has it");
  }
  Cursor cursor(shared_from_this(), segment->header.base_lsn);
  if (auto sought = cursor.seek_ordinal(*segment, ordinal); !sought) {
    return std::unexpected(sought.error());
  }
  auto record = cursor.next();
  if (!record) return refuse(ErrorCode::not_found, "no durable record has it");
  return std::move(*record);
}

Result<Lsn> ReadView::find_ordinal(uint64_t ordinal) {
  // Beside a writer that may take things away, what the segment's seal says is not asked.
  const auto segment = is_own_ ? table_->find_ordinal(ordinal) : std::nullopt;
  if (segment && ordinal >= table_->extent().first.ordinal) {
    if (const auto reader = reader_of_unread(*table_, *store_, *segment)) {
      const auto answer = find_ordinal_by_seal(reader, *segment, ordinal);
      if (answer.is_known && answer.record) return answer.record->lsn;
    }
  }
  auto record = read_beside_writer([&] { return record_at_ordinal(ordinal); });
  if (!record) return std::unexpected(record.error());
  return record->lsn;
}

Result<Lsn> ReadView::find_time(uint64_t time_ns) {
  return read_beside_writer([&] { return search_time(time_ns); });
}

Result<Lsn> ReadView::search_time(uint64_t time_ns) {
  const auto not_found = [&] {
    return std::unexpected(make_error(ErrorCode::not_found, fmt::format("find time {}", time_ns),
                                      "no durable record is so new", {.path = store_->path()}));
  };
  auto segment = table_->find_time(time_ns);
  // What the first segment's seal excludes begins with the next segment.
  for (int i = 0; is_own_ && segment && i < 2; ++i) {
    const auto reader = reader_of_unread(*table_, *store_, *segment);
    if (reader == nullptr) break;
    const auto answer = find_time_by_seal(reader, *segment, time_ns);
    if (!answer.is_known) break;
    if (answer.record) return answer.record->lsn;
    segment = table_->after(segment->header.number);
  }
  if (!segment) return not_found();
  Cursor cursor(shared_from_this(), segment->header.base_lsn);
  auto sought = cursor.seek_time(*segment, time_ns);
  if (!sought) return std::unexpected(sought.error());
  auto record = *sought ? cursor.next() : std::nullopt;
  if (!record) return not_found();
  if (!*record) return std::unexpected(record->error());
  return (*record)->lsn;
}

Result<std::optional<RecordPlace>> ReadView::find_place(Lsn lsn) {
  lsn = std::max(lsn, first_lsn());
  auto segment = table_->find(lsn);
  // Behind the last record of a segment it is the first one of the next.
  for (int i = 0; segment && i < 2; ++i) {
    const auto reader = reader_of_unread(*table_, *store_, *segment);
    if (reader == nullptr) break;
    const auto answer = find_lsn_by_seal(reader, *segment, lsn);
    if (!answer.is_known) break;
    if (answer.record) return answer.record;
    lsn = segment->end_lsn;
    segment = table_->after(segment->header.number);
  }
  const auto record = Cursor(shared_from_this(), lsn).next();
  if (!record) return std::nullopt;
  if (!*record) return std::unexpected(record->error());
  return RecordPlace{
      .lsn = (*record)->lsn, .ordinal = (*record)->ordinal, .time_ns = (*record)->time_ns};
}

Result<RecordView> ReadView::last() {
  const auto ordinal = table_->last_ordinal();
  if (!ordinal) {
    return std::unexpected(make_error(ErrorCode::not_found, "read last record", "the log is empty",
                                      {.path = store_->path()}));
  }
  return read_beside_writer([&] { return record_at_ordinal(*ordinal); });
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
      // An object may have grown since it was opened.
      info.bytes = std::max((*reader)->stored_bytes(),
                            segment_offset(segment.header.base_lsn, segment.end_lsn));
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

Result<std::shared_ptr<SegmentReader>> ReadView::verified_reader(const SegmentView& segment,
                                                                 bool* is_mapped_now) {
  const uint64_t number = segment.header.number;
  if (auto mapped = table_->mapped().at(number)) return mapped;
  const auto before = table_->at(number);
  if (before && before->is_closed && before->is_verified && before->is_sealed) {
    if (auto mapped = map(*before)) {
      if (auto kept = keep(mapped)) return kept;
    }
  }
  auto reader = table_->reader(*store_, number);
  const auto now = table_->at(number);
  if (!now) return std::unexpected(table_->gone(*store_, number));
  if (!reader || !now->is_closed || now->is_verified) return reader;
  // A seal has to be seen before anything is touched that a writer may be about to write.
  FrameSource past_cache(*reader, now->binding, now->header.base_lsn, ReadSource::device);
  auto seal = read_seal(past_cache, now->end_lsn);
  if (!seal) return std::unexpected(seal.error());
  const auto mapped = *seal ? map(*now) : nullptr;
  if (mapped != nullptr) reader = mapped;
  auto checked = check_closed_segment(*reader, *now, ReadSource::any);
  if (!checked) return std::unexpected(checked.error());
  if (checked->damage) return std::unexpected(to_error(*checked->damage, "read segment"));
  table_->set_verified(number, std::move(checked->contents), seal->has_value());
  if (mapped != nullptr) keep(mapped);
  if (is_mapped_now != nullptr) *is_mapped_now = mapped != nullptr;
  return reader;
}

/// Of sealed segments only: nobody writes to them any more, so that no look at any of their pages
/// can disturb a write. One that is closed and waits for its seal is read, as the active one is.
std::shared_ptr<MappedSegment> ReadView::map(const SegmentView& segment) {
  // Of a segment that was cut the last frame may go on behind its end.
  if (!maps_segments_ || segment.is_empty() || segment.is_cut) return nullptr;
  return store_->map({.binding = segment.binding,
                      .log_id = segment.header.log_id,
                      .base_lsn = segment.header.base_lsn,
                      .end_lsn = segment.end_lsn,
                      .base_ordinal = segment.header.base_ordinal});
}

std::shared_ptr<MappedSegment> ReadView::keep(const std::shared_ptr<MappedSegment>& mapped) {
  placed_.forget(mapped->range().binding.number);
  // The segment may have left the log meanwhile; its mappings are dropped after that.
  return table_->mapped().keep(mapped, [&] {
    const auto now = table_->at(mapped->range().binding.number);
    return now && now->end_lsn == mapped->range().end_lsn;
  });
}

}  // namespace writeahead::internal
