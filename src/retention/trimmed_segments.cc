// Removing what was trimmed.
// Nothing is decided here: what is not part of the log was settled by the root.
#include "retention/trimmed_segments.h"

#include <utility>

namespace writeahead::internal {

Result<void> TrimmedSegments::remove() {
  if (waiting_.empty()) return {};
  auto kept = store_.drop(waiting_);
  if (!kept) return std::unexpected(kept.error());
  waiting_ = std::move(*kept);
  return {};
}

}  // namespace writeahead::internal
