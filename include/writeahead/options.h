// Options and ReadOnlyOptions: how a log is opened.
// The first group changes what the log does, the second how fast, the third where it runs.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "writeahead/export.h"

namespace writeahead {

class Env;
class Executor;

/// The system calls that make a frame durable. All of them keep the same promise.
enum class SyncMethod : uint8_t {
  automatic,     ///< The first of the following that the directory's file system supports.
  direct_dsync,  ///< One write past the page cache that returns when it is durable.
  dsync,         ///< One write through the page cache that returns when it is durable.
  fdatasync,     ///< A write through the page cache and a sync of the file.
};

/// The method's name as it stands above.
[[nodiscard]] WRITEAHEAD_EXPORT std::string_view to_string(SyncMethod method);

/// Who does the work that no caller waits for: frames of append_async, seals, standbys, and the
/// root's proof of an idle log.
enum class BackgroundWork : uint8_t {
  thread,   ///< One thread a log, started by the first append, or by opening if a limit is set, and
            ///< one that writes large frames of append_async beside it, started by the first. An
            ///< opening of many segments has two more help it, which end before it returns.
  stepped,  ///< Nobody, until Log::step_background is called. For tests: one seed, one course.
};

/// What an append does when Options::quota_bytes is used up.
enum class QuotaPolicy : uint8_t {
  refuse,  ///< It answers `no_space`, as on a full disk.
  wait,    ///< It waits until a trim has given space back, or the log is closed or fails.
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
  /// only the owner reads the log. The owner's 0600 has to be among them, and 0002 must not:
  /// whoever may write to the directory may replace the log.
  uint32_t file_mode = 0600;

  // How much of it stays. Each limit drops the oldest segments, whole and in the background, as a
  // trim_before() would: holds are obeyed. 0 sets no limit.

  /// Drop segments while all together have more bytes on disk than this. The last one stays.
  uint64_t retain_bytes = 0;
  /// Drop segments while there are more than this. The last one stays.
  uint64_t retain_segments = 0;
  /// Drop segments whose newest record is older than so many seconds, the last one, too, even if
  /// nothing is appended any more. Counted by a clock that does not jump while the log is open, and
  /// by the wall clock across a reopening.
  uint64_t retain_seconds = 0;
  /// Most bytes that segments and standbys may have on disk together: appends that would need a
  /// further segment are answered as quota_policy says until a trim gives space back. At least two
  /// segments are of use. A few small files of the log are not counted. 0 is no quota.
  uint64_t quota_bytes = 0;
  /// An append in a callback should not wait: what would give space back may run behind it.
  /// try_append_async() answers `would_block`, whatever the policy is.
  QuotaPolicy quota_policy = QuotaPolicy::refuse;

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
  /// Segments that are kept ready, so that no append waits for one. By default as many as make up
  /// 1 MiB, from 1 to 16. They are made in groups of half as many, 8 at most, once so many are
  /// missing, as fast as segments are used up, and when no appends come. 0: each is made by the
  /// append that needs it. Of segments that were trimmed as many keep their files until the log is
  /// closed or needs the space: further ones are made of those, which costs no zeros to be written.
  std::optional<uint32_t> standby_segments = std::nullopt;
  /// Bytes of async and buffered appends that may be on their way at once; above, they wait, or
  /// answer `would_block`. One append is let in whatever its size. Default 64 MiB.
  uint64_t async_bytes = 64ULL << 20;
  /// Longest time in milliseconds that a record of level `written` is not durable. Default 1000.
  uint32_t sync_interval_ms = 1000;
  /// Longest time in milliseconds that a record of level `buffered` is in memory alone. Default 10.
  uint32_t flush_interval_ms = 10;
  /// So many bytes of buffered records are written without waiting longer. Default 256 KiB.
  uint64_t flush_bytes = 256ULL << 10;
  /// Frames of 64 KiB and more that may be on their way to the device at once. Default 4; 1 turns
  /// it off.
  uint32_t max_frames_in_flight = 4;
  /// 0: frames stand behind each other, and the block of the log's end is written again with its
  /// beginning unchanged; that assumes a device which does not damage bytes that it overwrites with
  /// themselves. 4096: each frame has blocks of its own, which assumes nothing and takes more
  /// space. 512: each frame has sectors of its own and is written without what stands before it, at
  /// every level past the page cache. That assumes nothing, either, where device and file system
  /// work in such sectors and the method is direct_dsync; elsewhere it only takes space.
  /// Stats::assumes_powersafe says which it is.
  uint32_t frame_alignment = 0;

  // Where it runs.

  /// The system; the real one if null. Must outlive the log.
  Env* env = nullptr;
  /// Where callbacks and coroutines run; the background thread if null. Must outlive the log.
  Executor* executor = nullptr;
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
