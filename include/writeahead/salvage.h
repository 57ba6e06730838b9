// Salvage: what verifies of a damaged log, copied into a new one.
//
// For a log that does not open any more, or that answers `corruption`. The damaged log is never
// written to, so that whatever was missed is still there for another attempt.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "writeahead/env.h"
#include "writeahead/export.h"
#include "writeahead/lsn.h"
#include "writeahead/recovery_report.h"
#include "writeahead/result.h"

namespace writeahead {

/// How salvage() works.
struct SalvageOptions {
  /// Permission bits of the new files, as Options::file_mode says. Default 0600.
  uint32_t file_mode = 0600;
  /// The system; the real one if null.
  Env* env = nullptr;
};

/// What salvage() found: every address of the damaged log that was ever known to be in use lies in
/// one range of `kept` or of `lost`. Values only.
struct SalvageReport {
  /// A stretch of addresses in one file of the damaged log.
  struct Range {
    Lsn begin;
    Lsn end;               ///< Not of the range any more.
    uint64_t records = 0;  ///< How many are in it; of what is lost, as far as that is known.
    std::string file;      ///< Name of the file, or object. Empty if it is missing.
    uint64_t offset = 0;   ///< Where `begin` stands in it.
  };
  struct Loss {
    Range range;
    std::string reason;        ///< Why its first byte was not taken, in words.
    bool was_durable = false;  ///< Something proves that it was. Else it may be a torn tail, which
                               ///< an opening would have cut.
  };

  std::vector<Range> kept;        ///< In order.
  std::vector<Loss> lost;         ///< In order.
  std::vector<Finding> findings;  ///< Other damage, such as that of the root.
  uint64_t records = 0;           ///< In the new log.
  uint64_t segments = 0;          ///< Of the new log.
  Lsn first_lsn;                  ///< Where the new log begins.
  Lsn end_lsn;                    ///< Where it goes on: behind all that was kept or lost.

  /// Whether anything was lost that was durable.
  [[nodiscard]] bool has_loss() const {
    for (const Loss& loss : lost) {
      if (loss.was_durable) return true;
    }
    return false;
  }
};

/// Copies every frame of the log in directory `path`, or at that address, that verifies on its own
/// into a new log in directory `new_path`, which is made, or is empty.
///
/// Records keep their addresses, numbers, types, times and bytes. What is lost in between stays a
/// gap: addresses and numbers in it are `not_found`, and are never given out again. A frame is kept
/// whole or not at all, since a half-kept batch could not be told from a whole one. What a
/// truncation, a trim or the cut of a recovery took away does not come back, and holds are kept, if
/// the root is readable; without one a finding says so. Blocks that cannot be read are skipped and
/// reported.
///
/// The new log has an id of its own, so that no file of the one can pass for one of the other. It
/// is durable on return, opens as after a close, and has a higher epoch than any of the damaged
/// one. An interrupted salvage leaves a directory that does not open, with `corruption`, until it
/// is removed. Nothing in `path` is changed in any case.
///
/// Codes: `not_found` (no log in `path`), `locked` (a process has it open for writing: close it
/// first; at an address none is seen, and it is `io` if one wrote meanwhile), `invalid_argument`
/// (`new_path` is not empty, or an address), `corruption` (neither the root nor any segment says
/// which log it is: nothing can be verified), `unsupported_format`, `no_space`, `io`. Cost: reads
/// all segments twice and writes them twice.
[[nodiscard]] WRITEAHEAD_EXPORT Result<SalvageReport> salvage(const std::string& path,
                                                              const std::string& new_path,
                                                              const SalvageOptions& options = {});

}  // namespace writeahead
