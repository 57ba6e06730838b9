// Comparing a destination with the source.
// Nothing is written here.
#include "copy/copy_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "copy/segment_pieces.h"
#include "segment/open_store.h"
#include "segment/segment_size.h"

namespace writeahead::internal {
namespace {

Error refusal(ErrorCode code, std::string_view cause, const std::string& path, Lsn lsn) {
  return make_error(code, "copy log", cause, {.path = path, .offset = {}, .lsn = lsn});
}

bool is_same(const SegmentHeader& a, const SegmentHeader& b) {
  return a.number == b.number && a.cause == b.cause && a.base_lsn == b.base_lsn &&
         a.base_ordinal == b.base_ordinal && a.link == b.link &&
         a.link_end_ordinal == b.link_end_ordinal && a.prepared_bytes == b.prepared_bytes;
}

/// What the copy has and the source has not: given up there, or appended here.
Error surplus(const CopySource& source, const CopiedPart& part, const std::string& path, Lsn at) {
  if (source.root().truncation_count > part.truncation_count) {
    return refusal(ErrorCode::truncated,
                   "the source was truncated below what the copy has: copy to a new place", path,
                   at);
  }
  return refusal(ErrorCode::invalid_argument,
                 "it has records that the source has not: it was written to since", path, at);
}

/// A copy without a segment goes on where it begins, or where the source begins by now.
Result<void> refuse_other_start(const CopySource& source, const CopiedPart& part,
                                const std::string& path) {
  const LogStart& from = source.table().extent().first;
  if (part.first.number <= from.number && part.first.lsn <= from.lsn) return {};
  const auto next = source.table().at(part.first.number);
  if (next && next->header.base_lsn == part.first.lsn &&
      next->header.base_ordinal == part.first.ordinal) {
    return {};
  }
  return std::unexpected(surplus(source, part, path, part.first.lsn));
}

Result<void> read_both(SegmentReader& a, SegmentReader& b, uint64_t offset, std::span<std::byte> x,
                       std::span<std::byte> y) {
  auto read = a.read(offset, x, ReadSource::any);
  return read ? b.read(offset, y, ReadSource::device) : read;
}

}  // namespace

Result<void> refuse_unfit(const SegmentHeader& header, bool is_first, const std::string& path) {
  const StoreTraits limits = traits_of(path);
  if (header.prepared_bytes > limits.most_segment_bytes) {
    const std::string cause = fmt::format(
        "segment {} has {} bytes, and an object takes {}: copy a log with a smaller "
        "segment_bytes",
        header.number, header.prepared_bytes, limits.most_segment_bytes);
    return std::unexpected(refusal(ErrorCode::too_large, cause, path, header.base_lsn));
  }
  if (is_first || limits.can_truncate || header.cause != SegmentCause::truncate) return {};
  return std::unexpected(refusal(ErrorCode::invalid_argument,
                                 "the source was truncated here, which objects cannot hold: trim "
                                 "it to here first",
                                 path, header.base_lsn));
}

Result<void> refuse_unfit(const CopySource& source, const std::string& path) {
  const uint64_t first = source.table().extent().first.number;
  for (const SegmentView& segment : source.table().all()) {
    auto fits = refuse_unfit(segment.header, segment.header.number == first, path);
    if (!fits) return fits;
  }
  return {};
}

Result<void> refuse_other(const CopySource& source, const CopiedPart& part,
                          const std::string& path) {
  if (part.log_id != source.root().log_id) {
    return std::unexpected(make_error(ErrorCode::invalid_argument, "copy log",
                                      fmt::format("it is another log than {}", source.path()),
                                      {.path = path}));
  }
  if (part.segments.empty()) return refuse_other_start(source, part, path);
  const LogExtent extent = source.table().extent();
  if (part.last_number() < extent.first.number) {
    const bool is_just_trimmed =
        part.end_lsn() == extent.first.lsn && part.end_ordinal() == extent.first.ordinal;
    if (is_just_trimmed) return {};
    if (part.end_lsn() > extent.first.lsn) {
      return std::unexpected(surplus(source, part, path, part.end_lsn()));
    }
    const std::string cause =
        fmt::format("the source begins at {} by now, and the copy ends before: copy to a new place",
                    extent.first.lsn.value());
    return std::unexpected(refusal(ErrorCode::trimmed, cause, path, part.end_lsn()));
  }
  for (const SegmentHeader& header : part.segments) {
    if (header.number < extent.first.number) continue;
    const auto segment = source.table().at(header.number);
    if (!segment || !is_same(segment->header, header)) {
      return std::unexpected(surplus(source, part, path, header.base_lsn));
    }
  }
  const auto last = source.table().at(part.last_number());
  if (last->end_lsn >= part.end_lsn()) return {};
  return std::unexpected(surplus(source, part, path, last->end_lsn));
}

Result<uint64_t> compare_segment(const CopySource& source, const SegmentView& segment,
                                 SegmentStore& copy, Lsn end) {
  const uint64_t number = segment.header.number;
  auto original = source.reader(number);
  if (!original) return std::unexpected(original.error());
  auto copied = copy.open(number);
  if (!copied) return std::unexpected(copied.error());
  const uint64_t bytes = segment_offset(segment.header.base_lsn, end);
  AlignedBuffer a(std::min(round_up(bytes, kBlockBytes), kPieceBytes));
  AlignedBuffer b(a.size());
  // Headers were compared: one that only the root of the source describes stands nowhere.
  for (uint64_t offset = kSegmentHeaderBytes; offset < bytes; offset += a.size()) {
    const auto x = a.span().first(std::min<uint64_t>(a.size(), bytes - offset));
    const auto y = b.span().first(x.size());
    if (auto read = read_both(**original, **copied, offset, x, y); !read) {
      return std::unexpected(read.error());
    }
    const auto differing = std::ranges::mismatch(x, y);
    if (differing.in1 == x.end()) continue;
    const uint64_t at = offset + static_cast<uint64_t>(differing.in1 - x.begin());
    return std::unexpected(make_error(
        ErrorCode::invalid_argument, "copy log", "it has other bytes than the source here",
        {.path = (*copied)->path(),
         .offset = at,
         .lsn = segment.header.base_lsn + (at - kSegmentHeaderBytes)}));
  }
  return bytes - kSegmentHeaderBytes;
}

}  // namespace writeahead::internal
