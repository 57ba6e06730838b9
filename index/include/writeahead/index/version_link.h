// VersionLink: the place of a record in a chain of versions, as FoundationDB's log servers have it.
#pragma once

#include <cstdint>

#include "writeahead/lsn.h"

namespace writeahead::index {

/// Of one record. Versions are the caller's numbers, and grow.
struct VersionLink {
  uint64_t version = 0;           ///< Above `previous_version`.
  uint64_t previous_version = 0;  ///< The version before it; 0 before the first.
  /// Up to which version the caller knows all copies to be durable, in whatever logs they are.
  uint64_t known_committed_version = 0;
  /// Whose record it is: refused as `fenced` if TagLog::lock was given a greater one.
  uint64_t generation = 0;
  friend bool operator==(const VersionLink&, const VersionLink&) = default;
};

/// What became of a versioned append.
struct VersionAppended {
  Lsn lsn;                 ///< Lsn() of a repeated version whose record is trimmed already.
  bool was_there = false;  ///< It had been appended before, with the same bytes.
};

/// What a recovery has to know of a log that it locked.
struct LockedLog {
  uint64_t end_version = 0;  ///< The last version; durable.
  uint64_t known_committed_version = 0;
};

}  // namespace writeahead::index
