// RecordMap: where the records of one segment begin, for point reads that search nothing.
//
// A record knows neither its number nor its frame, and both are told with it. Here a look at 64
// bytes of memory answers for an address whether a record begins there, how many came before it,
// and which frame holds it. It takes 64 bytes for 3072 bytes of segment and 12 for each frame.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "segment/frame_source.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead::internal {

class RecordMap {
 public:
  /// What a record does not say of itself.
  struct Place {
    uint64_t records_before = 0;  ///< In this segment.
    uint64_t time_ns = 0;         ///< Of its frame.
  };

  /// Maps a segment whose frames are [base_lsn, end_lsn) and were verified before; with `known`, a
  /// map of its beginning up to `known_end`, only the rest is read. Null if they are not what they
  /// were, or if the map would take more than kMostHeapBytes; `io` if they cannot be read.
  [[nodiscard]] static Result<std::unique_ptr<const RecordMap>> build(
      FrameSource& source, Lsn base_lsn, Lsn end_lsn, const RecordMap* known = nullptr,
      Lsn known_end = Lsn{});
  static constexpr uint64_t kMostHeapBytes = 64ULL << 20;

  /// The record that begins `offset` bytes behind the base; nothing if none does.
  [[nodiscard]] std::optional<Place> find(uint64_t offset) const;
  /// Begins to fetch what find(offset) will look at.
  void prefetch(uint64_t offset) const {
    const uint64_t line = offset / kUnitBytes / kUnitsPerLine;
    if (line < lines_.size()) __builtin_prefetch(&lines_[line]);
  }
  /// Memory that it takes.
  [[nodiscard]] uint64_t heap_bytes() const {
    return lines_.capacity() * sizeof(Line) + frames_.capacity() * sizeof(frames_[0]) +
           times_ns_.capacity() * sizeof(times_ns_[0]);
  }

 private:
  // Frames and records begin at multiples of 8: positions are counted in such units.
  static constexpr uint64_t kUnitBytes = 8;
  static constexpr uint64_t kWords = 6;
  static constexpr uint64_t kUnitsPerLine = kWords * 64;
  struct alignas(64) Line {
    uint32_t records_before = 0;  // its first unit
    uint32_t frame = 0;           // the last one that begins at or before its first unit, or 0
    std::array<uint64_t, kWords> begins{};  // a bit for each unit: a record begins there
    // Bits of the words before each: a record takes two units at least, so that they fit.
    std::array<uint8_t, kWords> begins_before{};
  };

  explicit RecordMap(uint64_t units) : lines_(units / kUnitsPerLine + 1) {}
  /// A frame behind all others. False if its lengths do not verify.
  [[nodiscard]] bool add(const Frame& frame, const SegmentBinding& binding, Lsn base_lsn);
  void finish();

  std::vector<Line> lines_;
  std::vector<uint32_t> frames_;    // the unit at which each begins
  std::vector<uint64_t> times_ns_;  // of each
};

}  // namespace writeahead::internal
