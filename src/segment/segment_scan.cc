// Accepting frames, and searching for evidence behind a break.
// Cost is linear in the bytes, whatever they hold.
#include "segment/segment_scan.h"

#include <algorithm>
#include <new>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "format/checksum.h"

namespace writeahead::internal {
namespace {

constexpr uint64_t kScanWindowBytes = 1ULL << 20;

/// Offset behind the last byte of `bytes` that is not zero, as not all of them are.
size_t nonzero_end(std::span<const std::byte> bytes) {
  size_t end = bytes.size();
  while (bytes[end - 1] == std::byte{0}) --end;
  return end;
}

/// Calls `visit(offset, bytes)` for every eighth offset from `begin` on where a frame header may
/// stand; and `window(offset, bytes)` for each stretch of the file in which not all is zero.
template <class Window, class Visit>
Result<void> sweep(SegmentReader& segment, uint64_t begin, Window window, Visit visit) {
  if (begin >= segment.bytes()) return {};
  AlignedBuffer memory(
      std::min(kScanWindowBytes, segment.bytes() - round_down(begin, kBlockBytes)));
  for (uint64_t offset = begin; offset < segment.bytes();) {
    // From a block's beginning, so that the device can be read without a copy.
    const uint64_t from = round_down(offset, kBlockBytes);
    const auto read_bytes =
        memory.span().first(std::min<uint64_t>(memory.size(), segment.bytes() - from));
    if (auto read = segment.read(from, read_bytes, ReadSource::device); !read) return read;
    const std::span<const std::byte> bytes = read_bytes.subspan(offset - from);
    const bool is_last = offset + bytes.size() == segment.bytes();
    const uint64_t places = bytes.size() < kFrameHeaderBytes
                                ? 0
                                : (bytes.size() - kFrameHeaderBytes) / kFrameAlignment + 1;
    if (!is_zero(bytes)) {
      window(offset, bytes);
      for (uint64_t at = 0; at < places * kFrameAlignment; at += kFrameAlignment) {
        if (frame_field::magic.load(bytes.subspan(at)) != kFrameMagic) continue;
        visit(offset + at, bytes.subspan(at, kFrameHeaderBytes));
      }
    }
    if (is_last) break;
    offset += places * kFrameAlignment;  // The windows overlap by less than a header.
  }
  return {};
}

}  // namespace

Error to_error(const Damage& damage, std::string_view action) {
  return make_error(ErrorCode::corruption, action, damage.what,
                    {.path = damage.path, .offset = damage.offset, .lsn = damage.lsn});
}

void add_to_index(std::vector<IndexEntry>& index, const FrameHeader& header) {
  if (!index.empty() && header.lsn - index.back().lsn < kIndexInterval) return;
  try {
    index.push_back(
        {.lsn = header.lsn, .first_ordinal = header.first_ordinal, .time_ns = header.time_ns});
  } catch (const std::bad_alloc&) {
    return;  // A search begins further in front.
  }
}

SegmentContents SegmentContents::empty(const SegmentHeader& header) {
  return {.end_lsn = header.base_lsn,
          .end_ordinal = header.base_ordinal,
          .digest = 0,
          .last_epoch = header.epoch,
          .first_time_ns = 0,
          .last_time_ns = 0,
          .index = {}};
}

void SegmentContents::begin(const SegmentHeader& header) {
  auto kept = std::move(index);
  kept.clear();
  *this = empty(header);
  index = std::move(kept);
}

void SegmentContents::extend(const FrameHeader& header, uint64_t digest_behind) {
  if (first_time_ns == 0) first_time_ns = header.time_ns;
  add_to_index(index, header);
  end_lsn = header.lsn + header.length;
  end_ordinal = header.first_ordinal + header.record_count;
  digest = digest_behind;
  last_epoch = header.epoch;
  last_time_ns = header.time_ns;
}

std::string_view describe(ScanStop stop) {
  switch (stop) {
    case ScanStop::limit:
      return "the log goes on";
    case ScanStop::seal:
      return "a seal stands here";
    case ScanStop::no_frame:
      return "no frame header verifies here";
    case ScanStop::stale_epoch:
      return "the frame here is of an older epoch";
    case ScanStop::wrong_ordinal:
      return "the frame here does not continue the ordinals";
    case ScanStop::broken_body:
      return "the frame here does not verify";
    case ScanStop::no_boundary:
      return "the segment's end lies inside of a record";
  }
  return "unknown";
}

FramePart walk_below(const Frame& frame, const SegmentBinding& binding, uint64_t digest,
                     Lsn limit) {
  if (frame.end_lsn() <= limit) {
    const VerifiedFrame whole = verify_frame(frame.header, frame.bytes, binding, digest);
    FramePart part{.header = frame.header,
                   .digest = whole.run.digest,
                   .is_whole = whole.is_whole,
                   .is_boundary = true};
    part.header.record_count = whole.run.records;
    return part;
  }
  FramePart part{.header = frame.header, .digest = digest};
  part.header.record_count = 0;
  part.header.length = limit - frame.header.lsn;
  part.is_boundary = part.header.length == frame.header.records_begin();
  FrameWalk walk(frame.header, frame.bytes, binding);
  while (walk.next()) {
    if (walk.end_lsn() > limit) continue;
    ++part.header.record_count;
    part.digest = extend_digest(part.digest, walk.record().header.checksum);
    part.is_boundary = part.is_boundary || walk.end_lsn() == limit;
  }
  part.is_whole = walk.is_whole();
  return part;
}

std::expected<FramePart, ScanStop> accept_frame(const Frame& frame, const SegmentBinding& binding,
                                                SegmentContents& contents, Lsn limit) {
  const FrameHeader& found = frame.header;
  if (found.epoch < contents.last_epoch) return std::unexpected(ScanStop::stale_epoch);
  if (found.kind == FrameKind::seal) return std::unexpected(ScanStop::seal);
  if (found.first_ordinal != contents.end_ordinal) return std::unexpected(ScanStop::wrong_ordinal);
  const FramePart part = walk_below(frame, binding, contents.digest, limit);
  if (!part.is_whole) return std::unexpected(ScanStop::broken_body);
  if (!part.is_boundary) return std::unexpected(ScanStop::no_boundary);
  contents.extend(part.header, part.digest);
  return part;
}

namespace {

template <class Accept>
Result<ScanStop> scan(FrameSource& source, SegmentContents& contents, Lsn limit, Lsn frames_end,
                      const Accept& accept) {
  while (contents.end_lsn < limit) {
    auto frame = source.at(contents.end_lsn, frames_end);
    if (!frame) return std::unexpected(frame.error());
    if (!*frame) return ScanStop::no_frame;
    const auto part = accept_frame(**frame, source.binding(), contents, limit);
    if (!part) return part.error();
    accept(part->header, part->digest);
  }
  return ScanStop::limit;
}

}  // namespace

Result<ScanResult> scan_frames(FrameSource& source, const SegmentHeader& header, Lsn limit,
                               ScanLimit kind) {
  const Lsn frames_end = kind == ScanLimit::is_between_frames ? limit : frames_end_of(header);
  ScanResult result{.contents = SegmentContents::empty(header), .stop = ScanStop::limit};
  const auto stop =
      scan(source, result.contents, limit, frames_end, [](const FrameHeader&, uint64_t) {});
  if (!stop) return std::unexpected(stop.error());
  result.stop = *stop;
  return result;
}

Result<ScanStop> scan_on(FrameSource& source, SegmentContents& contents, Lsn limit,
                         const std::function<void(const FrameHeader&, uint64_t digest)>& accept) {
  return scan(source, contents, limit, limit, accept);
}

Result<std::optional<Seal>> read_seal(FrameSource& source, Lsn end_lsn) {
  auto frame = source.at(end_lsn, Lsn(UINT64_MAX - kSegmentHeaderBytes));
  if (!frame) return std::unexpected(frame.error());
  if (!*frame) return std::nullopt;
  return decode_seal((*frame)->header, (*frame)->bytes);
}

namespace {

Result<bool> has_frame_at_base(SegmentReader& segment, const SegmentBinding& binding) {
  if (segment.bytes() < kSegmentHeaderBytes + kFrameHeaderBytes) return false;
  AlignedBuffer memory(kBlockBytes);
  const auto bytes = memory.span().first(kFrameHeaderBytes);
  if (auto read = segment.read(kSegmentHeaderBytes, bytes, ReadSource::device); !read) {
    return std::unexpected(read.error());
  }
  const Lsn stated(frame_field::lsn.load(bytes));
  return decode_frame_header(bytes, stated, binding).has_value();
}

/// What of a recycled file's residue does not need a header that verifies: offset behind it, or 0.
Result<uint64_t> find_trace(SegmentReader& segment, const SegmentBinding& binding, uint64_t offset,
                            Lsn lsn) {
  AlignedBuffer memory(2 * kBlockBytes);
  const auto bytes =
      memory.span().first(std::min<uint64_t>(memory.size(), segment.bytes() - offset));
  if (auto read = segment.read(offset, bytes, ReadSource::device); !read) {
    return std::unexpected(read.error());
  }
  const uint64_t rest_of_block = round_up(offset, kBlockBytes) - offset;
  bool is_trace = !is_zero(bytes.first(std::min<uint64_t>(rest_of_block, bytes.size())));
  if (bytes.size() >= kFrameHeaderBytes) {
    is_trace = is_trace || frame_field::lsn.load(bytes) == lsn.value() ||
               (frame_field::magic.load(bytes) == kFrameMagic &&
                frame_field::segment_number.load(bytes) == binding.number);
  }
  return is_trace ? offset + bytes.size() : 0;
}

}  // namespace

Result<Evidence> find_evidence(SegmentReader& segment, const SegmentBinding& binding, Lsn base_lsn,
                               bool is_recycled, Lsn break_lsn, uint64_t epoch) {
  Evidence evidence;
  const uint64_t begin = segment_offset(base_lsn, break_lsn);
  if (begin >= segment.bytes()) return evidence;
  const auto window = [&](uint64_t offset, std::span<const std::byte> bytes) {
    if (is_recycled) return;
    evidence.residue_end = offset + nonzero_end(bytes);
  };
  const auto visit = [&](uint64_t offset, std::span<const std::byte> bytes) {
    const Lsn lsn = base_lsn + (offset - kSegmentHeaderBytes);
    const auto frame = decode_frame_header(bytes, lsn, binding);
    if (!frame) return;
    if (is_recycled) {
      const uint64_t length = std::min(frame->length, segment.bytes() - offset);
      evidence.residue_end = std::max(evidence.residue_end, offset + length);
    }
    if (frame->epoch >= epoch && frame->watermark > break_lsn) evidence.has_witness = true;
  };
  if (auto swept = sweep(segment, begin, window, visit); !swept) {
    return std::unexpected(swept.error());
  }
  if (!is_recycled) return evidence;
  auto trace = find_trace(segment, binding, begin, break_lsn);
  if (!trace) return std::unexpected(trace.error());
  evidence.residue_end = std::max(evidence.residue_end, *trace);
  if (evidence.residue_end != 0) {
    const uint64_t least = std::min(begin + kCutWindowBytes, segment.bytes());
    evidence.residue_end = std::max(evidence.residue_end, least);
  }
  return evidence;
}

Result<std::optional<FoundFrame>> find_frame(SegmentReader& segment, const SegmentBinding& binding,
                                             std::optional<Lsn> base_lsn, uint64_t offset) {
  AlignedBuffer memory;
  // Mostly the next frame is near, and often asked for: only a long way gets large windows.
  for (uint64_t window = 2 * kBlockBytes; offset + kFrameHeaderBytes <= segment.bytes();
       window = std::min(2 * window, kScanWindowBytes)) {
    if (memory.size() < window) memory = AlignedBuffer(window);
    const auto bytes = memory.span().first(std::min(window, segment.bytes() - offset));
    if (auto read = segment.read(offset, bytes, ReadSource::device); !read) {
      return std::unexpected(read.error());
    }
    uint64_t at = 0;
    for (; at + kFrameHeaderBytes <= bytes.size(); at += kFrameAlignment) {
      const auto candidate = bytes.subspan(at, kFrameHeaderBytes);
      if (frame_field::magic.load(candidate) != kFrameMagic) continue;
      const uint64_t behind_base = offset + at - kSegmentHeaderBytes;
      const Lsn lsn = base_lsn ? *base_lsn + behind_base : Lsn(frame_field::lsn.load(candidate));
      const auto header = decode_frame_header(candidate, lsn, binding);
      if (!header || lsn.value() < behind_base) continue;
      return FoundFrame{.offset = offset + at, .header = *header};
    }
    offset += at;  // The windows overlap by less than a header.
  }
  return std::nullopt;
}

Result<OrphanEvidence> find_orphans(SegmentReader& segment, const SegmentBinding& binding,
                                    OrphanSearch search) {
  OrphanEvidence evidence;
  if (search == OrphanSearch::only_behind_a_base) {
    auto is_there = has_frame_at_base(segment, binding);
    if (!is_there) return std::unexpected(is_there.error());
    if (!*is_there) return evidence;
  }
  const auto window = [](uint64_t, std::span<const std::byte>) {};
  const auto visit = [&](uint64_t offset, std::span<const std::byte> bytes) {
    const Lsn stated(frame_field::lsn.load(bytes));
    const auto header = decode_frame_header(bytes, stated, binding);
    if (!header || stated.value() < offset - kSegmentHeaderBytes) return;
    if (offset == kSegmentHeaderBytes) {
      evidence.at_base = true;
      evidence.watermark = header->watermark;
    }
    const Lsn base(stated.value() - (offset - kSegmentHeaderBytes));
    if (header->watermark > base && !evidence.states_watermark) {
      evidence.states_watermark = true;
      evidence.base_lsn = base;
    }
  };
  if (auto swept = sweep(segment, kSegmentHeaderBytes, window, visit); !swept) {
    return std::unexpected(swept.error());
  }
  return evidence;
}

}  // namespace writeahead::internal
