// Copies of bytes that recovery cuts, for an operator who wants to look at them.
//
// They lie in the directory `torn` of the log, one file a cut, bounded in number and size. Nothing
// of the library reads them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "segment/segment_store.h"
#include "writeahead/env.h"

namespace writeahead::internal {

/// At most so many copies are kept; the one with the lowest name goes first.
inline constexpr size_t kMaxTornCopies = 16;
/// At most so many bytes of a cut are copied, from its beginning.
inline constexpr uint64_t kMaxTornCopyBytes = 64ULL << 20;

/// Whether a copy could have this name: only then it is ours to remove.
[[nodiscard]] bool is_torn_copy_name(std::string_view name);

/// Copies [begin, end) of `segment`, durably with its name; returns the copy's path. `no_space` if
/// there is none: nothing that matters was changed then.
[[nodiscard]] Result<std::string> copy_torn_bytes(Directory& directory, const std::string& path,
                                                  uint32_t file_mode, uint64_t number, Lsn lsn,
                                                  SegmentReader& segment, uint64_t begin,
                                                  uint64_t end);

}  // namespace writeahead::internal
