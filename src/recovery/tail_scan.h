// The last data segment: which way its bytes come, and what they hold.
//
// What lies below the position that the root proves may come through the page cache, as the header
// blocks before it do; what lies above it is what the device holds. Never a verdict.
#pragma once

#include <memory>
#include <optional>

#include "format/root_slot.h"
#include "recovery/inspection.h"
#include "segment/segment_scan.h"
#include "segment/segment_store.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// What is known before the segment is read.
struct TailScope {
  std::optional<Lsn> durable;  ///< Set beside a live writer: nothing from there on is looked at.
  Scrutiny scrutiny = Scrutiny::everything;
  ProvenPosition proven;    ///< By the root.
  bool is_closed = false;   ///< Both slots of the root are good, and say that the log was closed.
  bool is_copying = false;  ///< By the root: whatever lies above `proven` is none of the log.
};

/// What the last segment holds.
struct TailReading {
  std::shared_ptr<SegmentReader> segment;
  ScanResult scan;
  Evidence evidence;  ///< Behind the end of the scan; nothing where none is looked for.
};

[[nodiscard]] Result<TailReading> read_tail(SegmentStore& store, const SegmentHeader& header,
                                            const TailScope& scope);

}  // namespace writeahead::internal
