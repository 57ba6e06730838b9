// The scan of the last data segment: which way its bytes come, and whether any may stand behind.
//
// What lies below the position that the root proves may come through the page cache, as the header
// blocks before it do; what lies above it is what the device holds. Never a verdict.
#pragma once

#include <optional>

#include "recovery/inspection.h"
#include "segment/segment_scan.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// Accepts the frames of `found.last`, below `durable` if that is known.
[[nodiscard]] Result<ScanResult> scan_tail(const Inspection& found, std::optional<Lsn> durable,
                                           Scrutiny scrutiny);

/// Whether a close left the log with this end, and nobody opened it for writing since: then nothing
/// was written behind it.
[[nodiscard]] bool is_left_by_close(const Inspection& found, Lsn end);

}  // namespace writeahead::internal
