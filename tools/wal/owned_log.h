// Opening a log to change it, and what it takes up.
//
// A log that is not there is not made: whoever mistyped a name is told so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "failure.h"
#include "writeahead/log.h"

namespace wal {

/// Opens the log in `directory` for writing; recovers it, if it was not closed.
[[nodiscard]] Outcome<writeahead::Log> open_owned(const std::string& directory,
                                                  std::optional<uint64_t> segment_bytes = {});

/// What the segments with data take up.
struct Holdings {
  uint64_t segments = 0;
  uint64_t records = 0;
  uint64_t bytes = 0;  ///< Of the files.
};
[[nodiscard]] Holdings holdings_of(const writeahead::Log& log);

/// "3 segments", "1 segment".
[[nodiscard]] std::string count_of(uint64_t count, const std::string& noun);

}  // namespace wal
