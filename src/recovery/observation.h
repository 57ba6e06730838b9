// Observation: looking at a log that one does not own, beside its writer or without one.
//
// A writer of this boot says in the control page what is durable, and nothing above that is judged.
// Without one the log is judged as recovery would; nothing is repaired either way.
#pragma once

#include <optional>

#include "recovery/inspection.h"
#include "segment/segment_store.h"
#include "writeahead/recovery_report.h"
#include "writeahead/result.h"

namespace writeahead::internal {

struct Observation {
  Inspection found;
  bool is_live = false;  ///< A writer was at work.
};

/// Looks at the log, again if a writer moved on meanwhile so that what was seen does not fit
/// together. Damage is a finding in `found`. Nothing if the log changed at each of many looks: then
/// it was not seen whole, and is not judged.
[[nodiscard]] Result<std::optional<Observation>> try_observe(
    SegmentStore& store, Scrutiny scrutiny = Scrutiny::everything);
/// The same; code `io` if the log changes faster than it can be read.
[[nodiscard]] Result<Observation> observe(SegmentStore& store,
                                          Scrutiny scrutiny = Scrutiny::everything);

/// Makes what was found durable, so that it may be served: a log without a writer may have been
/// left with bytes that only a cache holds.
[[nodiscard]] Result<void> settle_observed(Observation& observation);

/// Reads everything that was found and compares it.
[[nodiscard]] Result<VerifyReport> verify_observed(SegmentStore& store,
                                                   const Observation& observation);

}  // namespace writeahead::internal
