// Forging: writing the checksums that bytes would need, so that a mutation gets behind them.
//
// Checksums are no authentication: whoever can write the files can do the same.
#pragma once

#include <cstddef>
#include <span>

#include "format/frame.h"

namespace writeahead::testing {

/// What the checksum of a record with that header and this content is made of.
[[nodiscard]] uint64_t hash_of_content(const ::writeahead::internal::RecordHeader& header,
                                       std::span<const std::byte> content);
/// `block` holds a segment's header block or a root slot, whole.
void forge_segment_header(std::span<std::byte> block);
void forge_root_slot(std::span<std::byte> slot);
/// The frame or seal that begins `bytes`: its records as far as they fit, its body, its header.
void forge_frame(std::span<std::byte> bytes, const ::writeahead::internal::SegmentBinding& binding);

}  // namespace writeahead::testing
