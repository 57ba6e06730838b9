// What a TagLog writes in front of a payload, and the records that are its own.
//
//   tagged      kind 1, count; then `count` tags of 32 bits, and the caller's payload
//   popped      kind 2, count; then `count` times a tag of 32 bits and an Lsn of 64
//   versioned   kind 3, count; version, previous version, known-committed version, generation, of
//               64 bits each; then as tagged, and there may be no tag
//   stated      kind 4, 0; version, 0, known-committed version, generation: the state of the chain,
//               for a lock, and before records are trimmed that said so
//   cut         kind 5, 0; version, previous version, known-committed version, generation, and an
//               Lsn: from that version on, whose record is there, all are void, and the chain goes
//               on behind the one before
//   moved       kind 6, 1; a tag of 32 bits, the Lsn that the record had at first and its version,
//               or 0, of 64 bits each; then the caller's payload: for that tag the record lies here
//
// Kind and count share the first 32 bits, the kind in the low eight. All is little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "writeahead/index/tag_log.h"
#include "writeahead/index/version_link.h"
#include "writeahead/lsn.h"

namespace writeahead::index::internal {

struct Pop {
  Tag tag = 0;
  Lsn up_to;
};

/// The record that `tag` knows by `lsn`.
struct Move {
  Tag tag = 0;
  Lsn lsn;
};

enum class TagRecordKind : uint8_t { tagged = 1, popped, versioned, stated, cut, moved };

/// What a moved record may have more in front of its payload than the same one had before.
inline constexpr size_t kMovedBytes = 16;

/// A record, taken apart. Its spans lie in the record's payload.
struct TagRecord {
  TagRecordKind kind = TagRecordKind::tagged;
  std::vector<Tag> tags;
  std::vector<Pop> pops;
  VersionLink link;  ///< Of `versioned`, `stated` and `cut`; the version of `moved`.
  Lsn void_from;     ///< Of `cut`.
  Move move;         ///< Of `moved`.
  std::span<const std::byte> payload;
};

/// Every tag of a log is below it.
inline constexpr Tag kMostTags = 1 << 20;
inline constexpr size_t kMostTagsOfARecord = (1 << 24) - 1;

[[nodiscard]] std::vector<std::byte> encode_tagged(std::span<const Tag> tags,
                                                   std::span<const std::byte> payload);
[[nodiscard]] std::vector<std::byte> encode_versioned(const VersionLink& link,
                                                      std::span<const Tag> tags,
                                                      std::span<const std::byte> payload);
[[nodiscard]] std::vector<std::byte> encode_pops(std::span<const Pop> pops);
[[nodiscard]] std::vector<std::byte> encode_stated(const VersionLink& link);
[[nodiscard]] std::vector<std::byte> encode_cut(const VersionLink& link, Lsn void_from);
[[nodiscard]] std::vector<std::byte> encode_moved(const Move& move, uint64_t version,
                                                  std::span<const std::byte> payload);
/// Fills `out` in, which keeps its memory. False if the bytes are of no such record.
[[nodiscard]] bool decode_tag_record(std::span<const std::byte> bytes, TagRecord& out);

}  // namespace writeahead::index::internal
