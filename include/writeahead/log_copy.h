// Copying a log: the same log, with its addresses, in another place.
//
// For moving to another disk, machine or kind of storage with a stop of seconds, and for keeping a
// warm copy. The copy is the same log: it has its id, its segments keep their numbers and their
// bytes, and its records their Lsns, ordinals and times. So only one of both may go on: whoever
// appends to both has two logs that pass for one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "writeahead/env.h"
#include "writeahead/export.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead {

/// How far a copy is.
struct CopyProgress {
  enum class Phase : uint8_t {
    copying,    ///< Beside the source's writer, if it has one, which is not disturbed.
    comparing,  ///< Both are read again, for CopyOptions::compares.
    waiting,    ///< All that the source has is copied; its writer has not closed it.
    finishing,  ///< The source is owned: nobody can append to it any more.
    following,  ///< All that the source has is copied; more is waited for.
  };
  Phase phase = Phase::copying;
  uint64_t copied_bytes = 0;  ///< By this call.
  uint64_t left_bytes = 0;    ///< Of what the source had when it was last looked at.
  Lsn copied_lsn;             ///< The copy has everything below, durably.
  std::string waits_for;      ///< While waiting: who has the source, in words.
};

/// How copy_log() works.
struct CopyOptions {
  /// Goes on copying as the source grows, until it is stopped; the source is never owned.
  bool follows = false;
  /// Waits until a source in a directory is closed by its writer. Else that is `locked`.
  bool waits = true;
  /// Compares every byte of both before the source is owned. In any case what is read is verified,
  /// and the last segment is compared at the end.
  bool compares = false;
  /// Permission bits of new files, as Options::file_mode says. Objects have none.
  uint32_t file_mode = 0600;
  /// Called now and then from the thread of copy_log(), at least at each change of the phase.
  std::function<void(const CopyProgress&)> on_progress = {};
  /// Ends the copy in an orderly way between two pieces.
  std::stop_token stop = {};
  /// Of directories; the system if null.
  Env* env = nullptr;
};

/// What copy_log() did.
struct CopyReport {
  /// The copy has all of the source, which was owned by then: from now on only the copy is to be
  /// written to. False if it followed, or was stopped.
  bool is_complete = false;
  Lsn first_lsn;                    ///< Where the copy begins.
  Lsn end_lsn;                      ///< Where it ends.
  uint64_t segments = 0;            ///< That the copy has.
  uint64_t copied_segments = 0;     ///< To which this call copied something.
  uint64_t copied_bytes = 0;        ///< Of frames and seals, by this call.
  uint64_t copied_records = 0;      ///< By this call.
  uint64_t compared_bytes = 0;      ///< Read from both and found to be the same.
  std::chrono::nanoseconds stop{};  ///< For how long the source was owned.
};

/// Copies the log at `source` to `destination`, which are two directories, or addresses of logs in
/// objects, in any combination.
///
/// First beside the source's writer: nothing is asked of it and nothing changed. Then the source is
/// opened for writing, as Log::open does it, and what came meanwhile is copied: in a directory once
/// its writer has closed it; in objects it is taken over, and its writer is `fenced`. Then the ends
/// are compared, and both are closed. The source stays as it is.
///
/// At every moment, after a crash of this process or of the machine, too, the destination is a log
/// that opens, and holds the records of the source up to some point: what a call left is gone on
/// with by the next one, and where the source is lost the copy is simply opened. What the
/// destination has already is compared with the source: headers of segments, which hold the digest
/// of the segment before each, and the bytes of the last one. Holds come along, and replace those
/// of the destination; what the source trimmed is trimmed. Others may read the destination
/// meanwhile.
///
/// Not supported: a source that was truncated above its first segment in objects as the
/// destination, which have no gaps in the numbers of segments.
///
/// Codes: `not_found` (no source); `invalid_argument` (the destination is another log, or has
/// records that the source has not: nothing is changed, unless only `compares` or the last
/// comparison finds them); `trimmed` (the source does not have any more what comes next in the
/// copy: copy to a new place); `truncated` (the source gave records up that the copy has: the
/// same); `locked` (somebody has the destination open for writing, or, with `waits` false, the
/// source); `corruption` (of the source or of the destination: what was copied ends before);
/// `too_large` (a segment is larger than the destination takes); `fenced` (somebody took over the
/// destination, or the source while it was owned, and keeps it); `no_space`, `unsupported_format`,
/// `io`. After an error the next call goes on.
///
/// Cost: one read of the source and one write and sync of what is copied, in pieces of some MiB,
/// which is the memory that it takes; files are filled with zeros before.
[[nodiscard]] WRITEAHEAD_EXPORT Result<CopyReport> copy_log(const std::string& source,
                                                            const std::string& destination,
                                                            const CopyOptions& options = {});

}  // namespace writeahead
