// Encoding and decoding the blocks of a snapshot.
// A block is a row of words, of which the last one is the checksum of the others.
#include "snapshot_format.h"

#include <algorithm>
#include <bit>

#include "writeahead/index/id_codec.h"

namespace writeahead::index::internal {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr uint64_t kHeaderMagic = 0x58444E4944414157;   // "WAADINDX"
constexpr uint64_t kTrailerMagic = 0x444E455844414157;  // "WAADXEND"
constexpr uint64_t kVersion = 1;

template <size_t kBytes>
using Words = std::array<uint64_t, kBytes / sizeof(uint64_t)>;

template <size_t kBytes>
std::array<std::byte, kBytes> seal(Words<kBytes> words, uint64_t seed) {
  std::array<std::byte, kBytes> bytes;
  const auto plain = std::as_writable_bytes(std::span(words));
  words.back() = hash_bytes(plain.first(kBytes - sizeof(uint64_t)), seed);
  std::ranges::copy(plain, bytes.begin());
  return bytes;
}

template <size_t kBytes>
std::optional<Words<kBytes>> open(std::span<const std::byte, kBytes> bytes, uint64_t seed) {
  Words<kBytes> words;
  std::ranges::copy(bytes, std::as_writable_bytes(std::span(words)).begin());
  if (words.back() != hash_bytes(bytes.first(kBytes - sizeof(uint64_t)), seed)) return std::nullopt;
  return words;
}

}  // namespace

uint64_t snapshot_seed(std::span<const std::byte, kSnapshotHeaderBytes> header) {
  return hash_bytes(header, kHeaderMagic);
}

std::array<std::byte, kSnapshotHeaderBytes> encode(const SnapshotHeader& header) {
  std::array<uint64_t, 2> id;
  std::ranges::copy(header.log_id, std::as_writable_bytes(std::span(id)).begin());
  const ContentsFormat& format = header.format;
  return seal<kSnapshotHeaderBytes>(
      {kHeaderMagic, kVersion, id[0], id[1], format.order, format.values, format.id_format,
       format.extractor_version, header.hash_seed, 0},
      0);
}

std::optional<SnapshotHeader> decode_header(
    std::span<const std::byte, kSnapshotHeaderBytes> bytes) {
  const auto words = open(bytes, 0);
  if (!words || (*words)[0] != kHeaderMagic || (*words)[1] != kVersion) return std::nullopt;
  SnapshotHeader header{.format = {.order = (*words)[4],
                                   .values = (*words)[5],
                                   .id_format = (*words)[6],
                                   .extractor_version = (*words)[7]},
                        .hash_seed = (*words)[8]};
  std::ranges::copy(std::as_bytes(std::span(*words).subspan(2, 2)), header.log_id.begin());
  return header;
}

std::array<std::byte, kPartHeaderBytes> encode(const PartHeader& header, uint64_t seed) {
  return seal<kPartHeaderBytes>(
      {header.bytes, header.entries, header.position.value(), header.bytes_checksum, 0}, seed);
}

std::optional<PartHeader> decode_part(std::span<const std::byte, kPartHeaderBytes> bytes,
                                      uint64_t seed) {
  const auto words = open(bytes, seed);
  if (!words) return std::nullopt;
  return PartHeader{.bytes = (*words)[0],
                    .entries = (*words)[1],
                    .position = Lsn((*words)[2]),
                    .bytes_checksum = (*words)[3]};
}

std::array<std::byte, kSnapshotTrailerBytes> encode(const SnapshotTrailer& trailer, uint64_t seed) {
  return seal<kSnapshotTrailerBytes>(
      {kTrailerMagic, trailer.parts, trailer.entries, trailer.truncations, trailer.begin.value(),
       trailer.end.value(), trailer.last.lsn.value(), trailer.last.ordinal, trailer.last.time_ns,
       trailer.last.payload_checksum, 0},
      seed);
}

std::optional<SnapshotTrailer> decode_trailer(
    std::span<const std::byte, kSnapshotTrailerBytes> bytes, uint64_t seed) {
  const auto words = open(bytes, seed);
  if (!words || (*words)[0] != kTrailerMagic) return std::nullopt;
  return SnapshotTrailer{.parts = (*words)[1],
                         .entries = (*words)[2],
                         .truncations = (*words)[3],
                         .begin = Lsn((*words)[4]),
                         .end = Lsn((*words)[5]),
                         .last = {.lsn = Lsn((*words)[6]),
                                  .ordinal = (*words)[7],
                                  .time_ns = (*words)[8],
                                  .payload_checksum = (*words)[9]}};
}

}  // namespace writeahead::index::internal
