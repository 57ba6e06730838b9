// Inspection: the steps of recovery that only look. Shared by opening for writing, by read-only
// opening and by verify; none of them writes before an inspection found no damage.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "format/root_slot.h"
#include "format/segment_header.h"
#include "recovery/decision.h"
#include "segment/segment_scan.h"
#include "segment/segment_store.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// A segment with data, as its header describes it.
struct DataSegment {
  SegmentHeader header;
  uint64_t file_bytes = 0;
  bool is_begun = false;  ///< By a truncation, and so far without a header of its own.
};

/// The end of the log as it was found in the last data segment.
struct Tail {
  SegmentContents contents;
  ScanStop stop = ScanStop::limit;
  TailVerdict verdict = TailVerdict::clean;
  uint64_t residue_end = 0;  ///< Offset behind the last byte to be cut; 0 if there is none.
};

/// What a log's storage holds.
struct Inspection {
  RootVerdict root_verdict = RootVerdict::create;
  uint64_t root_sequence = 0;  ///< Of the newest valid slot: every write of the root raises it.
  size_t bad_slot = 0;         ///< Index of the bad slot, for `use_and_skip`.
  RootState root;              ///< Of the newest valid slot; all default for `create`.
  uint64_t highest_epoch = 0;  ///< Of root, segment headers and accepted frames.
  /// Ascending, without a gap but for what a truncation voided.
  std::vector<DataSegment> data;
  std::vector<uint64_t> leftovers;  ///< Segments that hold no data of the log: to be removed.
  /// Outside of the log: below the first, or voided by a truncation. To be removed.
  std::vector<uint64_t> trimmed;
  std::shared_ptr<SegmentReader> last;  ///< Of data.back(), if there is one.
  std::optional<Tail> tail;             ///< Of the same.
  std::optional<Damage> damage;         ///< The first that was found; what follows was not judged.

  [[nodiscard]] Lsn end_lsn() const { return tail ? tail->contents.end_lsn : root.first.lsn; }
  [[nodiscard]] uint64_t end_ordinal() const {
    return tail ? tail->contents.end_ordinal : root.first.ordinal;
  }
  /// Of what is there: not those whose ordinals a salvage left out.
  [[nodiscard]] uint64_t records() const;
};

/// How the last segment is looked at.
enum class Scrutiny : uint8_t {
  everything,          ///< Past the page cache, and to the end of its file.
  what_is_not_proven,  ///< What the root proves may come through the cache, and nothing is looked
                       ///< for behind an end that a close left.
};

/// Looks at everything. `durable` is set beside a live writer: nothing at or above it is judged.
/// Errors: `io`, `unsupported_format`. Damage is a finding. Cost: a listing, one header a segment
/// (of those before the proven position through the cache), one read of the last.
[[nodiscard]] Result<Inspection> inspect(SegmentStore& store, std::optional<Lsn> durable,
                                         Scrutiny scrutiny = Scrutiny::everything);

}  // namespace writeahead::internal
