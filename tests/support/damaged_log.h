// A small reference log on a simulated disk, ways to damage it, and what the library says of it.
//
// Everything goes through the public interface: Log::open, ReadOnlyLog and reads. The layout of the
// files is computed from the answers of append, so that a test can say which byte it damages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/log_path.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::internal {}

namespace writeahead::testing {

/// The library's private parts; `internal` is the simulator's here.
namespace format = ::writeahead::internal;

inline constexpr std::string_view kRootPath = "/log/log.root";

/// A record as it was appended.
struct StoredRecord {
  Lsn lsn;
  uint64_t ordinal = 0;
  uint16_t type = 0;
  std::vector<std::byte> payload;
  friend bool operator==(const StoredRecord&, const StoredRecord&) = default;
};

/// Where the parts of one segment's file lie. All offsets are in the file.
struct SegmentLayout {
  uint64_t number = 0;
  std::string path;
  Lsn base_lsn;
  uint64_t bytes = 0;
  uint64_t first_record = 0;  ///< Ordinal of its first record.
  std::vector<uint64_t> frames = {};
  uint64_t end = 0;       ///< Behind the last frame.
  uint64_t seal_end = 0;  ///< Behind the seal; `end` if there is none.

  /// Ordinal of the record in the frame that holds `offset`; each frame has one record.
  [[nodiscard]] uint64_t record_at(uint64_t offset) const;
  /// Where a change of the byte at `offset`, below the end, has to be reported: at the frame that
  /// holds it, or at the header.
  [[nodiscard]] std::string damage_at(uint64_t offset) const;
  /// A place in this file, in those words; an Lsn of 0 where there is none.
  [[nodiscard]] std::string place_at(uint64_t offset, Lsn lsn) const;
};
/// The place of a finding, in the same words.
[[nodiscard]] std::string place_of(const Finding& finding);

/// A log on a disk, with what is known about it. A value.
struct ReferenceLog {
  SimDisk disk;
  std::vector<StoredRecord> records;
  std::vector<SegmentLayout> segments;
  uint64_t epoch = 0;

  [[nodiscard]] const SegmentLayout& last() const { return segments.back(); }
};

/// How a reference log is made.
struct ReferenceOptions {
  size_t segments = 4;
  size_t frames_in_last = 5;
  bool closes = true;   ///< Else the disk is as a crash leaves it, with nothing in flight.
  bool seals = true;    ///< Without: the crash came before any background work.
  bool proves = false;  ///< Goes through an idle second before the crash.
  uint64_t seed = 1;    ///< Of the log id.
};

/// The payload of the record with this ordinal, of a length that needs padding now and then.
[[nodiscard]] std::vector<std::byte> payload_of(uint64_t ordinal, uint64_t seed = 1);

/// Frames are small and a segment has a single block for them: 12 KiB with the seal's.
[[nodiscard]] ReferenceLog make_reference_log(const ReferenceOptions& options = {});
[[nodiscard]] Options reference_options(Env& env);

/// What opening for writing said, and what could be read then.
struct OpenResult {
  std::optional<ErrorCode> code;  ///< Of open; else of the first read that failed.
  bool opened = false;
  std::string message;
  RecoveryReport report;
  std::vector<StoredRecord> records;
  SimDisk disk;  ///< Afterwards; closed if it was opened.
};
/// Opens, reads everything, and closes.
[[nodiscard]] OpenResult open_and_read(const SimDisk& disk);
/// The same, with an append between the reads and a second opening.
[[nodiscard]] OpenResult open_append_and_reopen(const SimDisk& disk);
/// The same beside nobody, without writing.
[[nodiscard]] OpenResult read_only(const SimDisk& disk);
[[nodiscard]] Result<VerifyReport> verify(const SimDisk& disk);

// Damage. Durable at once.

void edit(SimDisk& disk, std::string_view path, uint64_t offset, std::span<const std::byte> bytes);
void flip_bit(SimDisk& disk, std::string_view path, uint64_t bit);
void cut_file(SimDisk& disk, std::string_view path, uint64_t bytes);

}  // namespace writeahead::testing
