// StoreTraits: in what one kind of storage differs from another, for the code above the seam.
//
// The log, its copies and salvage ask here, and not where a log lies. The defaults are those of
// files in a directory.
#pragma once

#include <cstdint>

namespace writeahead::internal {

struct StoreTraits {
  /// Whoever opens a log for writing becomes its owner: nobody is asked, nobody is `locked`, and no
  /// owner is seen but by what it changes. The storage has no part in an Env, either.
  bool passes_on_ownership = false;
  /// Whether a suffix of the log can be removed.
  bool can_truncate = true;
  /// Whether segments are worth preparing, and worth using again. Else a segment that is named was
  /// used.
  bool prepares_segments = true;
  /// Whether a write is there whole or not at all, for those who read beside it, too.
  bool writes_whole = false;
  /// Whether a write may wait for space; SegmentStore::is_full() says that one does.
  bool may_be_full = false;
  /// Of records, in one write.
  uint64_t most_batch_bytes = UINT64_MAX;
  /// Of a segment: header, frames and seal.
  uint64_t most_segment_bytes = UINT64_MAX;
};

}  // namespace writeahead::internal
