// LogCopier: copying what the source has by now, from segment to segment.
// What the source takes away meanwhile is no damage: it is looked at again.
#include <fmt/format.h>

#include <deque>
#include <optional>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "copy/copy_check.h"
#include "copy/log_copier.h"
#include "copy/segment_pieces.h"

namespace writeahead::internal {
namespace {

/// A commit takes some barriers, and a crash takes what was not committed.
constexpr uint64_t kCommitBytes = 64ULL << 20;
constexpr uint64_t kCommitSegments = 64;

}  // namespace

/// Copies all that the source has now, and makes it a part of the copy.
Result<void> LogCopier::copy_up() {
  // What the source trimmed goes first: once the copy is opened again that would be refused.
  if (auto trimmed = follow_trim(); !trimmed) return trimmed;
  if (auto above = stay_above(); !above) return above;
  // What was begun with a frame that is cut is ended in any case.
  while (!options_.stop.stop_requested() || !copy_->is_committable()) {
    auto next = next_segment();
    if (!next) return std::unexpected(next.error());
    if (!*next) break;
    auto copied = copy_segment(**next);
    if (!copied) {
      const Error& error = copied.error();
      auto there = is_still_there(error, (*next)->header.number);
      if (!there) return std::unexpected(there.error());
      if (*there) return std::unexpected(error);
      if (auto trimmed = follow_trim(); !trimmed) return trimmed;
      continue;
    }
    if (!*copied) break;
  }
  if (auto committed = commit(); !committed) return committed;
  return copy_seals();
}

/// A writer that opened the source since has a higher epoch, and readers of the copy believe no
/// owner below the epochs that they see. The opening that owns the source writes no frame, so that
/// its epoch may be the copy's, too.
Result<void> LogCopier::stay_above() {
  const uint64_t epoch = source_->root().epoch;
  if (epoch < copy_->epoch() || (source_->is_owned() && epoch == copy_->epoch())) return {};
  // CRASH: it is a log that was closed. Whoever has taken it over keeps it: this is refused then.
  if (auto closed = copy_->close(source_->root()); !closed) return closed;
  copy_.reset();
  return open_copy();
}

/// A root that counts another truncation says that the copy knows of it: what that took away is
/// refused before.
Result<void> LogCopier::refuse_truncated() {
  if (source_->root().truncation_count == copy_->part().truncation_count) return {};
  auto refused = refuse_other(*source_, copy_->part(), path_);
  // Of what was trimmed nothing is left to be refused.
  if (!refused && refused.error().code() == ErrorCode::trimmed) return {};
  return refused;
}

/// The copy begins where the source does. One that is known to be of the source, and that the
/// source has trimmed all of, goes on at the new beginning.
Result<void> LogCopier::follow_trim() {
  if (auto whole = refuse_truncated(); !whole) return whole;
  const LogExtent extent = source_->table().extent();
  const CopiedPart& part = copy_->part();
  if (extent.first.number <= part.first.number) return {};
  if (part.last_number() < extent.first.number && part.end_lsn() > extent.first.lsn) {
    return refuse_other(*source_, part, path_);
  }
  if (auto committed = commit(); !committed) return committed;
  RootState root = source_->root();
  root.first = extent.first;
  std::erase_if(unsealed_, [&](uint64_t number) { return number < extent.first.number; });
  return copy_->trim(root);
}

/// Whether an error in a segment of the source is what it says, and not that the segment went.
Result<bool> LogCopier::is_still_there(const Error& error, uint64_t number) {
  const bool may_be_gone =
      is_gone(error) || error.code() == ErrorCode::trimmed || error.code() == ErrorCode::truncated;
  if (source_->is_owned() || !may_be_gone) return true;
  if (auto checked = source_->recheck(); !checked) return std::unexpected(checked.error());
  return source_->table().at(number).has_value();
}

Result<std::optional<SegmentView>> LogCopier::next_segment() {
  SegmentTable& table = source_->table();
  const CopiedPart& part = copy_->part();
  if (part.segments.empty()) return table.after(part.first.number - 1);
  const auto current = table.at(part.last_number());
  if (!current || current->end_lsn < part.end_lsn()) {
    auto refused = refuse_other(*source_, part, path_);
    if (refused) return std::optional<SegmentView>{};
    return std::unexpected(refused.error());
  }
  const auto next = table.after(part.last_number());
  // A frame that is cut, and the segment that cuts it, come together.
  if (current->is_cut && next) {
    AlignedBuffer block(kSegmentHeaderBytes);
    auto has_header = source_->read_header(*next, part.segments.back().epoch, block.span());
    if (!has_header) {
      auto there = is_still_there(has_header.error(), next->header.number);
      if (!there) return std::unexpected(there.error());
      if (*there) return std::unexpected(has_header.error());
    }
    if (!has_header || !*has_header) return std::optional<SegmentView>{};
  }
  if (current->end_lsn > part.end_lsn()) return current;
  return next;
}

/// False: the source has no header there yet.
Result<bool> LogCopier::begin_segment(const SegmentView& segment) {
  const CopiedPart& part = copy_->part();
  const SegmentHeader& header = segment.header;
  if (auto fits = refuse_unfit(header, part.segments.empty(), path_); !fits) {
    return std::unexpected(fits.error());
  }
  const bool is_linked =
      part.segments.empty()
          ? LogStart{header.number, header.base_lsn, header.base_ordinal} == part.first
          : (continues(part.segments.back(), header) && header.link.digest == part.last.digest &&
             header.predecessor_end_lsn() == part.last.end_lsn &&
             header.predecessor_end_ordinal() == part.last.end_ordinal);
  if (!is_linked) {
    return std::unexpected(to_error({.path = source_path_,
                                     .offset = 0,
                                     .lsn = header.base_lsn,
                                     .what = fmt::format("segment {} is not linked to what is "
                                                         "before it",
                                                         header.number)},
                                    "copy log"));
  }
  AlignedBuffer block(kSegmentHeaderBytes);
  const uint64_t epoch_before = part.segments.empty() ? 0 : part.segments.back().epoch;
  auto has_header = source_->read_header(segment, epoch_before, block.span());
  if (!has_header || !*has_header) return has_header;
  if (!part.segments.empty() && header.cause != SegmentCause::truncate) {
    unsealed_.push_back(part.last_number());
  }
  const SegmentHeader written = decode_segment_header(block.span()).header;
  if (auto begun = copy_->begin_segment(written, block.span()); !begun) {
    return std::unexpected(begun.error());
  }
  ++pending_segments_;
  return true;
}

/// False: it cannot be gone on with for now.
Result<bool> LogCopier::copy_segment(const SegmentView& segment) {
  // Its last frame would bring records that the log gave up where the cut itself cannot follow.
  if (const auto next = source_->table().after(segment.header.number); segment.is_cut && next) {
    if (auto fits = refuse_unfit(next->header, false, path_); !fits) {
      return std::unexpected(fits.error());
    }
  }
  auto reader = source_->reader(segment.header.number);
  if (!reader) return std::unexpected(reader.error());
  if (copy_->part().last_number() != segment.header.number) {
    auto begun = begin_segment(segment);
    if (!begun || !*begun) return begun;
  }
  if (std::exchange(counted_, segment.header.number) != segment.header.number) {
    ++report_.copied_segments;
  }
  SegmentPieces pieces(*reader, segment, copy_->part().last);
  while (!options_.stop.stop_requested() || !copy_->is_committable()) {
    auto piece = pieces.next();
    if (!piece) return std::unexpected(piece.error());
    if (piece->bytes.empty()) break;
    const uint64_t ordinal = copy_->part().last.end_ordinal;
    auto appended = copy_->append(piece->bytes, pieces.contents(), piece->is_cut);
    if (!appended) return std::unexpected(appended.error());
    report_.copied_records += copy_->part().last.end_ordinal - ordinal;
    report_.copied_bytes += piece->bytes.size();
    pending_bytes_ += piece->bytes.size();
    if (pending_bytes_ >= kCommitBytes || pending_segments_ >= kCommitSegments) {
      if (auto committed = commit(); !committed) return std::unexpected(committed.error());
    }
    tell(phase_);
  }
  if (auto right = check_end(segment); !right) return std::unexpected(right.error());
  return true;
}

/// A closed segment against what its successor says of it.
Result<void> LogCopier::check_end(const SegmentView& segment) const {
  const SegmentContents& copied = copy_->part().last;
  if (!segment.is_closed || copied.end_lsn != segment.end_lsn) return {};
  if (copied.digest == segment.digest && copied.end_ordinal == segment.end_ordinal) return {};
  return std::unexpected(
      to_error({.path = source_path_,
                .offset = segment_offset(segment.header.base_lsn, segment.end_lsn),
                .lsn = segment.end_lsn,
                .what = "its records are not those that its successor was linked to"},
               "copy log"));
}

Result<void> LogCopier::commit() {
  const bool is_pending = pending_bytes_ != 0 || pending_segments_ != 0;
  if (!is_pending && !copy_->is_older_than(source_->root())) return {};
  if (auto committed = copy_->commit(source_->root()); !committed) return committed;
  pending_bytes_ = pending_segments_ = 0;
  return {};
}

/// The writer of the source seals a segment a little after it has begun the next one.
Result<void> LogCopier::copy_seals() {
  std::deque<uint64_t> missing;
  for (const uint64_t number : unsealed_) {
    const auto segment = source_->table().at(number);
    if (!segment || number >= copy_->committed().number) {
      if (segment) missing.push_back(number);
      continue;
    }
    auto frame = source_->read_seal_frame(*segment);
    if (!frame) {
      auto there = is_still_there(frame.error(), number);
      if (!there) return std::unexpected(there.error());
      if (*there) return std::unexpected(frame.error());
      continue;
    }
    if (frame->empty()) {
      missing.push_back(number);
      continue;
    }
    if (auto sealed = copy_->seal(number, segment->end_lsn, *frame); !sealed) return sealed;
    report_.copied_bytes += frame->size();
  }
  unsealed_ = std::move(missing);
  return {};
}

}  // namespace writeahead::internal
