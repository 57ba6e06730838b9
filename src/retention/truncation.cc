// Finding the cut, and preparing what commits it.
// Nothing is written here.
#include "retention/truncation.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "segment/closed_segment.h"

namespace writeahead::internal {
namespace {

Result<SegmentContents> read_below(SegmentStore& store, SegmentTable& table,
                                   const SegmentView& segment, Lsn lsn) {
  auto reader = table.reader(store, segment.header.number);
  if (!reader) return std::unexpected(reader.error());
  if (segment.is_closed && !segment.is_verified) {
    // What is kept of it gets a digest of its own: damage must not become part of that.
    auto checked = check_closed_segment(*reader, segment, ReadSource::any);
    if (!checked) return std::unexpected(checked.error());
    if (checked->damage) return std::unexpected(to_error(*checked->damage, "truncate log"));
  }
  FrameSource frames(*reader, segment.binding, segment.header.base_lsn, ReadSource::any);
  // Beyond its end a segment that was cut before has frames that are not its own any more.
  auto scan = scan_frames(frames, segment.header, std::min(lsn, segment.end_lsn),
                          ScanLimit::may_cut_a_frame);
  if (!scan) return std::unexpected(scan.error());
  if (scan->stop == ScanStop::limit) return std::move(scan->contents);
  if (scan->stop == ScanStop::no_boundary) {
    return std::unexpected(make_error(ErrorCode::not_found, "truncate log",
                                      "no record begins or ends here",
                                      {.path = (*reader)->path(), .offset = {}, .lsn = lsn}));
  }
  const Lsn at = scan->contents.end_lsn;
  return std::unexpected(to_error({.path = (*reader)->path(),
                                   .offset = segment_offset(segment.header.base_lsn, at),
                                   .lsn = at,
                                   .what = std::string(describe(scan->stop))},
                                  "truncate log"));
}

}  // namespace

Result<CutPoint> find_cut(SegmentStore& store, SegmentTable& table, Lsn lsn) {
  CutPoint cut{.lsn = lsn, .ordinal = 0, .link = {}, .kept = {}, .voided = {}};
  cut.link.end_lsn = lsn;
  const std::vector<SegmentView> segments = table.all();
  // The last segment that begins below keeps something; those behind it do not.
  const auto is_below = [lsn](const SegmentView& view) { return view.header.base_lsn < lsn; };
  const auto behind = std::ranges::partition_point(segments, is_below);
  for (auto segment = behind; segment != segments.end(); ++segment) {
    cut.voided.push_back(segment->header.number);
  }
  if (behind == segments.begin()) {
    cut.ordinal = table.extent().first.ordinal;
    return cut;
  }
  const SegmentView& last = *std::prev(behind);
  cut.link.number = last.header.number;
  if (lsn > last.end_lsn && behind != segments.end()) {
    return std::unexpected(make_error(ErrorCode::not_found, "truncate log",
                                      "what stood here was lost before a salvage",
                                      {.path = store.path(), .offset = {}, .lsn = lsn}));
  }
  if (lsn == last.end_lsn) {
    cut.ordinal = last.end_ordinal;
    cut.link.digest = last.digest;
    return cut;
  }
  auto kept = read_below(store, table, last, lsn);
  if (!kept) return std::unexpected(kept.error());
  cut.ordinal = kept->end_ordinal;
  cut.link.digest = kept->digest;
  cut.kept = std::move(*kept);
  return cut;
}

void put_header(const SegmentHeader& header, AppendBuffer& buffer) {
  buffer.reserve(0);
  buffer.begin(header.number, kSegmentHeaderBytes, 0);
  encode_segment_header(header, buffer.header_block());
}

Truncation make_truncation(const RootState& before, CutPoint cut, uint64_t number,
                           std::shared_ptr<SegmentWriter> standby, uint64_t created_ns) {
  Truncation made;
  RootState& root = made.root;
  root = before;
  root.is_clean = false;
  ++root.epoch;
  ++root.truncation_count;
  root.truncation = {
      .number = number, .base_lsn = cut.lsn, .ordinal = cut.ordinal, .link = cut.link};
  root.proven = {.number = number, .lsn = cut.lsn};
  // Without a segment below it the new one is the first.
  if (cut.link.number == 0) root.first = {.number = number, .lsn = cut.lsn, .ordinal = cut.ordinal};
  for (RootHold& hold : root.holds) hold.lsn = std::min(hold.lsn, cut.lsn);
  made.header = {.cause = SegmentCause::truncate,
                 .log_id = root.log_id,
                 .number = number,
                 .epoch = root.epoch,
                 .base_lsn = cut.lsn,
                 .base_ordinal = cut.ordinal,
                 .prepared_bytes = standby->bytes(),
                 .created_ns = created_ns,
                 .ignorable_features = features_of(*standby),
                 .link = cut.link};
  made.addition = SegmentTable::prepare(made.header, standby);
  put_header(made.header, made.buffer);
  made.standby = std::move(standby);
  made.cut = std::move(cut);
  return made;
}

}  // namespace writeahead::internal
