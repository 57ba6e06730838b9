// SalvageSurvey: what can be known about a damaged log before its frames are read.
//
// Which log it is, what its root says if it says something, which files hold segments of it, where
// each of them begins, and where it ends at the latest. Nothing is written, and nothing is demanded
// to fit together: what contradicts the rest is a finding.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "format/root_slot.h"
#include "format/segment_header.h"
#include "recovery/damaged_segment.h"
#include "segment/segment_store.h"
#include "writeahead/recovery_report.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// A file with frames of the log.
struct SalvageSource {
  uint64_t number = 0;  ///< Of the segment that it holds.
  uint64_t file = 0;    ///< Number in the file's name; another one if the file was renamed.
  std::optional<SegmentHeader> header;  ///< If it verifies; else frames say where they belong.
  Lsn base_lsn;
  std::optional<uint64_t> base_ordinal;
  /// Nothing from here on belongs to the log any more: a later segment begins here, by a rotation
  /// or because a truncation took the rest away.
  Lsn limit;

  /// A truncation took away all of it.
  [[nodiscard]] bool is_void() const { return limit <= base_lsn; }
};

struct SalvageSurvey {
  Identifier log_id{};
  std::optional<RootState> root;       ///< Of the newest slot that verifies and is of this log.
  std::vector<SalvageSource> sources;  ///< By number, without gaps or not.
  std::vector<Finding> findings;
  uint64_t root_sequence = 0;
  uint64_t last_missing = 0;  ///< Number of the last one that held something and is not there.

  /// Whether a frame there was written after the root stated its proven position. Then it is of
  /// the root's epoch or a later one: what was there before had been cut.
  [[nodiscard]] bool is_behind_proven(uint64_t number, Lsn lsn) const;
};

/// Opens a segment for salvage. Nothing if it is not there, or none of it can be opened.
[[nodiscard]] Result<std::shared_ptr<DamagedSegment>> open_damaged(SegmentStore& store,
                                                                   uint64_t file);

/// Codes: `corruption` if nothing says which log this is, `unsupported_format`, `io`.
[[nodiscard]] Result<SalvageSurvey> survey(SegmentStore& store);

}  // namespace writeahead::internal
