// Scanning a segment: which of its frames belong to the log, and what testifies behind them.
//
// Acceptance: a frame header verifies in its place, its epoch is not below the last accepted one,
// its ordinal continues, its body and all records verify. Evidence: a header that verifies alone.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/seal.h"
#include "format/segment_header.h"
#include "segment/frame_source.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// Damage to bytes that were durable: where, and what.
struct Damage {
  std::string path;
  uint64_t offset = 0;
  Lsn lsn;
  std::string what;
};
/// The error that reports it, code `corruption`; `action` as in make_error.
[[nodiscard]] Error to_error(const Damage& damage, std::string_view action);

/// Adds a frame to a sparse index if the last entry lies far enough back.
void add_to_index(std::vector<IndexEntry>& index, const FrameHeader& header);

/// The accepted frames of a segment, from its first on.
struct SegmentContents {
  Lsn end_lsn;  ///< Behind the last accepted frame.
  uint64_t end_ordinal = 0;
  uint64_t digest = 0;
  uint64_t last_epoch = 0;
  uint64_t first_time_ns = 0;
  uint64_t last_time_ns = 0;
  std::vector<IndexEntry> index;

  /// What a segment with this header holds before its first frame.
  [[nodiscard]] static SegmentContents empty(const SegmentHeader& header);
  /// Becomes that, and keeps its memory.
  void begin(const SegmentHeader& header);
  /// Takes one more frame that was accepted, or written, at end_lsn.
  void extend(const FrameHeader& header, uint64_t digest_behind);
};

/// Why a scan stopped.
enum class ScanStop : uint8_t {
  limit,          ///< All up to the limit was accepted.
  seal,           ///< A seal's header stands at the end.
  no_frame,       ///< No frame header verifies there.
  stale_epoch,    ///< A header verifies, of an epoch below the last accepted one.
  wrong_ordinal,  ///< A header verifies, and its ordinal does not continue.
  broken_body,    ///< A header verifies, and its body does not.
  no_boundary,    ///< The limit lies in a frame, and no record ends there.
};
/// In words, for reports.
[[nodiscard]] std::string_view describe(ScanStop stop);

struct ScanResult {
  SegmentContents contents;
  ScanStop stop = ScanStop::limit;
};

/// What a limit of a scan may cut through.
enum class ScanLimit : uint8_t {
  is_between_frames,
  may_cut_a_frame,  ///< That frame is verified whole; its records below the limit count.
};

/// The part of a frame below a limit, once all of it is walked.
struct FramePart {
  FrameHeader header;  ///< As if the frame ended at the limit.
  uint64_t digest = 0;
  bool is_whole = false;     ///< The frame verifies, all of it.
  bool is_boundary = false;  ///< A record ends at the limit, or the first one begins there.
};
/// `digest` is the segment's before the frame.
[[nodiscard]] FramePart walk_below(const Frame& frame, const SegmentBinding& binding,
                                   uint64_t digest, Lsn limit);

/// Takes one more frame in, which stands at the end of what is there; its part below the limit, or
/// why it is not accepted.
[[nodiscard]] std::expected<FramePart, ScanStop> accept_frame(const Frame& frame,
                                                              const SegmentBinding& binding,
                                                              SegmentContents& contents, Lsn limit);

/// Accepts frames from the segment's first one up to `limit`. Errors: `io` only.
[[nodiscard]] Result<ScanResult> scan_frames(FrameSource& source, const SegmentHeader& header,
                                             Lsn limit,
                                             ScanLimit kind = ScanLimit::is_between_frames);

/// Goes on from what `contents` holds: accepts frames up to `limit`, which lies between frames, and
/// shows each to `accept` with the digest behind it.
[[nodiscard]] Result<ScanStop> scan_on(
    FrameSource& source, SegmentContents& contents, Lsn limit,
    const std::function<void(const FrameHeader&, uint64_t digest)>& accept);

/// The seal at `end_lsn`, if one is there and verifies.
[[nodiscard]] Result<std::optional<Seal>> read_seal(FrameSource& source, Lsn end_lsn);

/// What stands behind the first break of the last data segment.
struct Evidence {
  bool has_witness = false;  ///< A header behind the break states a watermark above it.
  uint64_t residue_end = 0;  ///< Offset behind the last byte that is to be cut; 0: there is none.
};

/// In a recycled file a cut reaches at least so far behind the break, or to the end of the file.
inline constexpr uint64_t kCutWindowBytes = 1ULL << 20;

/// Searches from `break_lsn` to the end of the file, in steps of 8 bytes, O(1) each: bodies are not
/// read, so that a hostile payload costs no more than its length.
///
/// Residue is whatever is not zero. Behind the frames of a recycled file bytes of its earlier use
/// are no residue: there it takes a frame header that verifies, or that still shows its place at
/// the break, or a byte that is not zero in the rest of the break's block, which the last frame
/// zeroed.
[[nodiscard]] Result<Evidence> find_evidence(SegmentReader& segment, const SegmentBinding& binding,
                                             Lsn base_lsn, bool is_recycled, Lsn break_lsn,
                                             uint64_t epoch);

/// A frame header that verifies, and where in the file it stands.
struct FoundFrame {
  uint64_t offset = 0;
  FrameHeader header;
};
/// The first frame from `offset` on, which is a multiple of 8, wherever it stands: of a segment
/// with that base, or, where that is not known, of the base that the frame itself implies. As
/// find_evidence() it looks at headers alone.
[[nodiscard]] Result<std::optional<FoundFrame>> find_frame(SegmentReader& segment,
                                                           const SegmentBinding& binding,
                                                           std::optional<Lsn> base_lsn,
                                                           uint64_t offset);

/// What frame headers in a segment with an unusable header block say. They carry their own Lsn.
struct OrphanEvidence {
  bool at_base = false;           ///< One stands directly behind the header block.
  Lsn watermark;                  ///< What that one states; all below was durable.
  bool states_watermark = false;  ///< One states a watermark above the segment's base.
  Lsn base_lsn;                   ///< The segment's base by that one's place.
};
enum class OrphanSearch : uint8_t {
  everywhere,
  only_behind_a_base,  ///< Only if one stands at the base; else nothing more is read.
};
[[nodiscard]] Result<OrphanEvidence> find_orphans(SegmentReader& segment,
                                                  const SegmentBinding& binding,
                                                  OrphanSearch search);

}  // namespace writeahead::internal
