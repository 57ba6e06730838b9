// The bytes of an index snapshot: a header, parts with a header each, and a trailer.
//
// All numbers are little-endian and of 64 bits; each block of them ends with its checksum. A
// snapshot decides nothing but how long an opening takes: one that does not verify is not used.
//
//   header    magic, version, log id (2 words), order, values, id format, extractor version, hash
//             seed, checksum
//   part      bytes, entries, position, checksum of the bytes, checksum; then the bytes
//   trailer   magic, parts, entries, truncations, begin, end, and of the last record that was taken
//             in: lsn, ordinal, time, payload checksum; checksum
//
// The checksums of a part are seeded with a hash of the header and the part's number, that of the
// trailer with the same hash, so that nothing of another snapshot or place passes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "writeahead/env.h"
#include "writeahead/index/detail/index_contents.h"
#include "writeahead/lsn.h"

namespace writeahead::index::internal {

/// A record that has to be found where it was, or the snapshot is of another course of the log.
struct RecordMark {
  Lsn lsn;
  uint64_t ordinal = 0;
  uint64_t time_ns = 0;
  uint64_t payload_checksum = 0;
  friend bool operator==(const RecordMark&, const RecordMark&) = default;
};

struct SnapshotHeader {
  Identifier log_id{};
  ContentsFormat format;
  uint64_t hash_seed = 0;
};
struct PartHeader {
  uint64_t bytes = 0;
  uint64_t entries = 0;
  Lsn position;
  uint64_t bytes_checksum = 0;
};
struct SnapshotTrailer {
  uint64_t parts = 0;
  uint64_t entries = 0;
  uint64_t truncations = 0;
  Lsn begin;  ///< The least position of a part: an opening goes on from there.
  Lsn end;    ///< The greatest one.
  RecordMark last;
};

inline constexpr size_t kSnapshotHeaderBytes = 10 * sizeof(uint64_t);
inline constexpr size_t kPartHeaderBytes = 5 * sizeof(uint64_t);
inline constexpr size_t kSnapshotTrailerBytes = 11 * sizeof(uint64_t);

/// What ties parts and trailer to their header.
[[nodiscard]] uint64_t snapshot_seed(std::span<const std::byte, kSnapshotHeaderBytes> header);

[[nodiscard]] std::array<std::byte, kSnapshotHeaderBytes> encode(const SnapshotHeader& header);
[[nodiscard]] std::array<std::byte, kPartHeaderBytes> encode(const PartHeader& header,
                                                             uint64_t seed);
[[nodiscard]] std::array<std::byte, kSnapshotTrailerBytes> encode(const SnapshotTrailer& trailer,
                                                                  uint64_t seed);
/// Nothing if the checksum differs, or it is of another version.
[[nodiscard]] std::optional<SnapshotHeader> decode_header(
    std::span<const std::byte, kSnapshotHeaderBytes> bytes);
[[nodiscard]] std::optional<PartHeader> decode_part(
    std::span<const std::byte, kPartHeaderBytes> bytes, uint64_t seed);
[[nodiscard]] std::optional<SnapshotTrailer> decode_trailer(
    std::span<const std::byte, kSnapshotTrailerBytes> bytes, uint64_t seed);

}  // namespace writeahead::index::internal
