// Options and ReadOnlyOptions: how a log is opened.
// The first group changes what the log does, the second how fast, the third where it runs.
#pragma once

#include <cstdint>
#include <string_view>

#include "writeahead/export.h"

namespace writeahead {

class Env;

/// The system calls that make a frame durable. All of them keep the same promise.
enum class SyncMethod : uint8_t {
  automatic,     ///< The first of the following that the directory's file system supports.
  direct_dsync,  ///< One write past the page cache that returns when it is durable.
  dsync,         ///< One write through the page cache that returns when it is durable.
  fdatasync,     ///< A write through the page cache and a sync of the file.
};

/// The method's name as it stands above.
[[nodiscard]] WRITEAHEAD_EXPORT std::string_view to_string(SyncMethod method);

/// Who does the work that no caller waits for: seals, and the root's proof of an idle log.
enum class BackgroundWork : uint8_t {
  thread,   ///< One thread a log, started by the first append.
  stepped,  ///< Nobody, until Log::step_background is called. For tests: one seed, one course.
};

/// How Log::open opens a log. The defaults suit a data store on a local file system.
struct Options {
  // What the log does.

  /// Make the log, and the last component of its path, if there is none. Default true.
  bool create_if_missing = true;
  /// Fail with `invalid_argument` if there is a log already. Default false.
  bool error_if_exists = false;
  /// Largest payload in bytes; a larger one is `too_large` and nothing is written. Default 64 MiB,
  /// at most 1 GiB. Bounds the memory of one append, nothing else: it may change at every opening.
  uint64_t max_record_bytes = 64ULL << 20;
  /// Permission bits of new files; directories get the matching search bits. Default 0600, so that
  /// only the owner reads the log. The owner's 0600 has to be among them.
  uint32_t file_mode = 0600;

  // How fast it does it.

  /// Size at which a segment ends, its header and frames counted, rounded up to 4 KiB. From 4608
  /// to 2^40; default 64 MiB. Small segments give space back sooner after a trim, large ones rotate
  /// less often; a crash costs at opening one read of the last segment. Applies to new segments.
  uint64_t segment_bytes = 64ULL << 20;
  /// Overrides the automatic choice of how frames are made durable. `invalid_argument` at open if
  /// the file system refuses the method.
  SyncMethod sync_method = SyncMethod::automatic;
  /// Longest time in microseconds that a group of more than one appender waits for those it had
  /// the last time. Never applies to a single appender. 0 turns it off. Default 40.
  uint32_t group_wait_us = 40;

  /// Read sealed segments where they lie in memory that is shared with the page cache. They are
  /// read in through calls that report errors; but should the system drop such a page later and
  /// then fail to read it again, the process gets a SIGBUS. False reads copies, always. Default
  /// true.
  bool map_segments = true;

  // Where it runs.

  /// The system; the real one if null. Must outlive the log.
  Env* env = nullptr;
  BackgroundWork background = BackgroundWork::thread;
};

/// How ReadOnlyLog opens a log.
struct ReadOnlyOptions {
  /// As Options::map_segments. Default true.
  bool map_segments = true;
  /// The system; the real one if null. Must outlive the log.
  Env* env = nullptr;
};

}  // namespace writeahead
