// RecoveryReport and VerifyReport: what opening or checking a log found.
// Values only: they hold nothing of the log and may be kept.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "writeahead/lsn.h"

namespace writeahead {

/// What Log::open found, kept and cut.
struct RecoveryReport {
  enum class Outcome : uint8_t {
    created,    ///< There was no log, or a half-created one.
    clean,      ///< The log had been closed.
    unclean,    ///< It had not been closed; nothing had to be cut.
    torn_tail,  ///< It had not been closed; bytes that nothing proves were durable were cut.
  };

  Outcome outcome = Outcome::created;
  uint64_t epoch = 0;              ///< The epoch of this opening.
  Lsn proven_lsn;                  ///< What the root proved to be durable before recovery.
  Lsn end_lsn;                     ///< Where the log ended after it.
  uint64_t records = 0;            ///< Records in the log.
  uint64_t segments = 0;           ///< Segments with data.
  uint64_t scanned_bytes = 0;      ///< What was read of the last segment to find the end.
  bool root_slot_was_bad = false;  ///< One of the root's two slots was damaged; written again.

  // Of a torn tail only:
  uint64_t cut_segment = 0;  ///< Number of the segment that was cut.
  uint64_t cut_offset = 0;   ///< Offset in its file of the first byte that was cut.
  uint64_t cut_bytes = 0;    ///< Length of the range that was replaced with zeros.
  std::string copy_path;     ///< Where a copy of those bytes lies: of the first 64 MiB.
  std::string cause;         ///< Why the first byte of the range did not belong to the log.
};

/// One thing that a check found.
struct Finding {
  std::string file;     ///< Name of the file in the log's directory.
  uint64_t offset = 0;  ///< Where in the file.
  Lsn lsn;              ///< Where in the log, if the place has an address.
  std::string what;     ///< What is wrong there, in words.
};

/// What ReadOnlyLog::verify found.
struct VerifyReport {
  enum class Verdict : uint8_t {
    ok,          ///< Every record verifies up to the end.
    torn_tail,   ///< So it does, and behind the end lie bytes that the next opening will cut.
    corruption,  ///< Bytes that were durable are damaged.
  };

  Verdict verdict = Verdict::ok;
  uint64_t records = 0;           ///< Records that verify, from the first on without a gap.
  uint64_t segments = 0;          ///< Segments with data that were looked at.
  uint64_t bytes = 0;             ///< Bytes of frames that were read.
  bool is_live = false;           ///< Another process was writing: only what is durable was judged.
  Lsn end_lsn;                    ///< Up to where the log was judged.
  std::vector<Finding> findings;  ///< In the order of the log; seals too that have no effect.
};

/// One segment, as `wal stat` lists it.
struct SegmentInfo {
  enum class State : uint8_t {
    active,   ///< The last one with data; appends go there.
    sealed,   ///< Immutable, with its seal.
    closed,   ///< Immutable; its seal is yet to be written.
    standby,  ///< Prepared, without data.
  };

  uint64_t number = 0;
  Lsn base_lsn;  ///< Address of its first byte behind the header; 0 for a standby.
  Lsn end_lsn;   ///< First address behind it; for the active one, behind what is durable.
  uint64_t records = 0;
  State state = State::active;
  uint64_t bytes = 0;  ///< Size of the file, or what was appended to the object.
};

}  // namespace writeahead
