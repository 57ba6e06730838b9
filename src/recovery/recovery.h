// Recovery: from what lies in the storage to a log that can be appended to.
//
// The steps, in this order: inspect (no writes), copy what will be cut, cut and settle the end,
// remove what holds no data, make the new epoch durable, remove what was trimmed. A crash between
// any two leaves a storage on which the same steps reach the same end. Damage stops before the
// first write.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "format/root_slot.h"
#include "recovery/inspection.h"
#include "retention/producer_book.h"
#include "segment/segment_store.h"
#include "segment/segment_table.h"
#include "writeahead/env.h"
#include "writeahead/recovery_report.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// A log that was recovered.
struct Recovered {
  RootState root;  ///< As it now stands in both copies.
  std::shared_ptr<SegmentTable> table;
  std::shared_ptr<SegmentWriter> active;  ///< Of the last segment; null if the log has none.
  SegmentHeader active_header;            ///< Likewise.
  uint64_t digest = 0;                    ///< Of the last segment.
  Lsn end_lsn;
  uint64_t end_ordinal = 0;
  uint64_t last_time_ns = 0;      ///< Of the newest frame; frames never go back.
  ProducerBook producers;         ///< What is remembered of producers.
  std::vector<uint64_t> trimmed;  ///< Segments outside of the log that could not be removed yet.
  RecoveryReport report;
};

/// The table of the segments that an inspection without damage found; `active` writes the last one,
/// null if nobody does.
[[nodiscard]] std::shared_ptr<SegmentTable> make_table(
    const Inspection& found, const std::shared_ptr<SegmentWriter>& active);

/// Recovers the log in `store`, whose owner the caller is; `must_be_new`: refuses a log that is
/// there already, with `invalid_argument`. A half-created one is none.
[[nodiscard]] Result<Recovered> recover(SegmentStore& store, Env& env, bool must_be_new);

}  // namespace writeahead::internal
