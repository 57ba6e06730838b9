// SalvagePlan: which stretches of a damaged log are kept, and what becomes of the rest.
//
// The whole log is read for it, and nothing is written: what is going to be lost is known before
// the new log is begun. A frame is taken if it verifies whole, in its place, is not of an older
// epoch than one taken before it, and carries an ordinal that goes on. Behind one that does not,
// the next is searched for. Cost is linear in the bytes, whatever they hold.
#pragma once

#include <cstdint>
#include <vector>

#include "recovery/salvage_survey.h"
#include "segment/segment_store.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"
#include "writeahead/salvage.h"

namespace writeahead::internal {

/// Frames that follow each other in one file without a gap.
struct SalvageRun {
  size_t source = 0;  ///< Index in SalvageSurvey::sources.
  Lsn begin;
  Lsn end;  ///< Where a truncation cut through the last frame, the end of that cut.
  uint64_t first_ordinal = 0;
  uint64_t end_ordinal = 0;
  uint64_t epoch = 0;    ///< Of the first frame.
  uint64_t time_ns = 0;  ///< Likewise.
};

struct SalvagePlan {
  std::vector<SalvageRun> runs;
  std::vector<SalvageReport::Loss> lost;
  Lsn first_lsn;  ///< Where the log began.
  uint64_t first_ordinal = 0;
  Lsn end_lsn;  ///< Behind everything that was kept or lost.
  uint64_t end_ordinal = 0;
  uint64_t highest_epoch = 0;
  uint64_t last_time_ns = 0;
};

[[nodiscard]] Result<SalvagePlan> plan_salvage(SegmentStore& store, const SalvageSurvey& survey);

}  // namespace writeahead::internal
