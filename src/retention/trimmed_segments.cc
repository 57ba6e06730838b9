// Removing what was trimmed.
// Nothing is decided here: what is not part of the log was settled by the root.
#include "retention/trimmed_segments.h"

#include <algorithm>
#include <utility>

namespace writeahead::internal {

Result<void> TrimmedSegments::remove() {
  if (waiting_.empty()) return {};
  auto kept = store_.drop(waiting_);
  if (!kept) return std::unexpected(kept.error());
  for (const uint64_t number : waiting_) {
    if (std::ranges::find(*kept, number) == kept->end()) quota_.give_back(number);
  }
  waiting_ = std::move(*kept);
  return {};
}

}  // namespace writeahead::internal
