// SegmentStore: where segments and the root live. The seam between the log and its storage.
//
// Nothing above this interface knows about files, so that the same commit, format, recovery and
// reading code runs on local files and on a replicated engine, where a segment is an object and
// the root is the attributes of another one. Errors carry path and offset.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.h"
#include "format/frame.h"
#include "format/root_slot.h"
#include "format/segment_header.h"
#include "root/control.h"
#include "root/root_file.h"
#include "segment/append_buffer.h"
#include "segment/store_traits.h"
#include "writeahead/lsn.h"
#include "writeahead/options.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// Where a read comes from.
enum class ReadSource : uint8_t {
  any,     ///< The fastest that is safe beside a writer.
  device,  ///< What would be there after a power cut of the cache; for judging, not for speed.
};

/// An open segment. Any number of threads may read. As long as one is open, in whichever process,
/// the segment is not recycled.
class SegmentReader {
 public:
  SegmentReader() = default;
  SegmentReader(const SegmentReader&) = delete;
  SegmentReader& operator=(const SegmentReader&) = delete;
  virtual ~SegmentReader() = default;

  /// Length of the segment when it was opened.
  [[nodiscard]] virtual uint64_t bytes() const = 0;
  /// How much of that takes up space. A file is made as long as it will ever be, an object not.
  [[nodiscard]] virtual uint64_t stored_bytes() const { return bytes(); }
  /// For messages.
  [[nodiscard]] virtual const std::string& path() const = 0;
  /// Reads all of `out`; `io` if the segment ends before.
  [[nodiscard]] virtual Result<void> read(uint64_t offset, std::span<std::byte> out,
                                          ReadSource source) = 0;
  /// `count` bytes where they lie, if they can be shown without a copy: they stay as they are for
  /// as long as somebody holds this. Nothing if they cannot. `io` if they cannot be read.
  [[nodiscard]] virtual Result<std::span<const std::byte>> show(uint64_t offset, uint64_t count) {
    static_cast<void>(offset + count);
    return std::span<const std::byte>{};
  }
  /// Bytes from `offset` on are read past every cache, everything until this is called: nobody
  /// writes below any more, and nobody must disturb a writer above.
  virtual void allow_cache_below(uint64_t offset) = 0;
  /// Makes what others wrote to it durable; allowed on a segment that is open for reading.
  [[nodiscard]] virtual Result<void> sync() = 0;
};

class MappedSegment;

/// Which part of which segment is to be mapped.
struct MappedRange {
  SegmentBinding binding;
  Identifier log_id{};
  Lsn base_lsn;
  Lsn end_lsn;
  uint64_t base_ordinal = 0;
};

/// How a frame is written.
enum class WriteMode : uint8_t {
  barrier,  ///< Durable on return, by a barrier that covers this write alone: only if all that was
            ///< written before is durable or is written this way, too.
  synced,   ///< Durable on return, with everything that was written before.
  cached,   ///< The kernel has it on return; durable after sync().
};

/// A segment open for writing. One thread writes at a time, beside any number that read, except
/// for write() with WriteMode::barrier of buffers that share no block.
class SegmentWriter : public SegmentReader {
 public:
  /// Of fill_slice(): few that appends can meet; and short, for when none come.
  static constexpr uint64_t kLargeSlice = 1ULL << 20;
  static constexpr uint64_t kSmallSlice = 128ULL << 10;

  /// Gives the frame in `buffer` (and the header block, if the buffer has it) its place at offset
  /// `at`, which has to be the end of what was placed before: fills in what stands before it in
  /// its first block. Writes nothing.
  virtual void place(uint64_t at, AppendBuffer& buffer) = 0;
  /// Writes what was placed there. After an error nothing is known about the bytes from `at` on,
  /// and the caller writes no more.
  [[nodiscard]] virtual Result<void> write(uint64_t at, AppendBuffer& buffer, WriteMode mode) = 0;
  /// Whether write() with WriteMode::barrier may be in flight several times.
  [[nodiscard]] virtual bool can_overlap() const = 0;

  /// Makes a standby longer: writes zeros behind its end up to `bytes` in all, at most `slice` of
  /// them. Returns how long it is now; durable, and part of bytes(), after sync(). `no_space`
  /// leaves it usable as it was; an error of that sync() does not.
  [[nodiscard]] virtual Result<uint64_t> fill_slice(uint64_t bytes, uint64_t slice) = 0;

  /// Recovery: replaces [end, cut_end) with zeros, makes [0, end) as it was read durable, and
  /// returns when both are. `proven` is up to where it is known to be durable.
  [[nodiscard]] virtual Result<void> settle(uint64_t proven, uint64_t end, uint64_t cut_end) = 0;

  /// Whether another name leads to the same bytes, such as a hard-link backup: then nothing more
  /// is to be appended.
  [[nodiscard]] virtual bool is_shared() const = 0;
  /// Whether it held another segment before, so that bytes of that one stand behind the end.
  [[nodiscard]] virtual bool is_recycled() const = 0;
};

/// What the header of a new segment says of its storage.
[[nodiscard]] inline uint64_t features_of(const SegmentWriter& standby) {
  return standby.is_recycled() ? kRecycledFeature : 0;
}

/// Whether an error says that a segment is not there any more: removed, or being recycled.
[[nodiscard]] inline bool is_gone(const Error& error) {
  return error.system_error() == ENOENT || error.system_error() == EWOULDBLOCK;
}

/// The segments and the root of one log. The writing calls belong to the owner, one at a time; the
/// others may be made from any thread.
class SegmentStore {
 public:
  SegmentStore() = default;
  SegmentStore(const SegmentStore&) = delete;
  SegmentStore& operator=(const SegmentStore&) = delete;
  virtual ~SegmentStore() = default;

  [[nodiscard]] virtual StoreTraits traits() const { return {}; }
  /// For messages.
  [[nodiscard]] virtual const std::string& path() const = 0;
  /// Of a segment, which need not exist; for messages.
  [[nodiscard]] virtual std::string segment_path(uint64_t number) const = 0;
  /// Name of its file or object alone, for reports.
  [[nodiscard]] virtual std::string segment_label(uint64_t number) const = 0;

  /// Reads the root past every cache.
  [[nodiscard]] virtual Result<RootSlots> load_root() = 0;
  /// Fences every older writer: on success `root`, with its epoch, is durable in all copies, and no
  /// byte can be written under an older one any more.
  [[nodiscard]] virtual Result<void> claim(const RootState& root) = 0;
  /// Makes `root` durable in all copies.
  [[nodiscard]] virtual Result<void> write_root(const RootState& root) = 0;

  /// Numbers of all segments, ascending, standbys included.
  [[nodiscard]] virtual Result<std::vector<uint64_t>> list() = 0;
  /// For reading. is_gone() if it was removed or recycled, be it just before.
  [[nodiscard]] virtual Result<std::shared_ptr<SegmentReader>> open(uint64_t number) = 0;
  /// As open(), but ReadSource::any may bring what its writer shows of it (show_newest()): for
  /// bytes that are known to be durable, and not for judging which are.
  [[nodiscard]] virtual Result<std::shared_ptr<SegmentReader>> open_shown(uint64_t number) = 0;
  /// Maps a sealed segment, to which nobody writes any more, up to the block of its end. Null if it
  /// cannot be mapped, for whatever reason: then it is to be read, which will tell.
  [[nodiscard]] virtual std::shared_ptr<MappedSegment> map(const MappedRange& range) = 0;
  /// Reads the header block in the fastest way, which may show bytes that only a cache has; zeros
  /// where the segment ends before. Returns the length of the segment. is_gone() as above.
  [[nodiscard]] virtual Result<uint64_t> read_head(uint64_t number, std::span<std::byte> block) = 0;
  /// Opens a segment whose last frame ends at `end`, to go on there.
  [[nodiscard]] virtual Result<std::shared_ptr<SegmentWriter>> open_for_append(uint64_t number,
                                                                               uint64_t end) = 0;
  /// Begins a standby: a segment without a byte, to be filled and synced. Its name is durable after
  /// sync_names(). `no_space` if it cannot be made for now; nothing is left behind then.
  [[nodiscard]] virtual Result<std::shared_ptr<SegmentWriter>> create(uint64_t number) = 0;
  /// Makes a standby of a segment that all copies of the root exclude from the log, if it has at
  /// most so many bytes: its header is void, its length stays, and what stands behind is left. The
  /// name is durable after sync_names(), the header after sync(). Null if it cannot be used,
  /// because somebody has it open, a backup shares it, or a call failed: then it is to be dropped.
  [[nodiscard]] virtual std::shared_ptr<SegmentWriter> recycle(uint64_t trimmed, uint64_t number,
                                                               uint64_t most_bytes) = 0;
  /// Makes the names of created and recycled segments durable.
  [[nodiscard]] virtual Result<void> sync_names() = 0;
  /// Removes a standby that never took data, as far as that is possible: one that stays behind is
  /// removed at the next opening, or replaced by create().
  virtual void discard(uint64_t number) = 0;
  /// Removes segments, durably: they hold nothing, even if their names should come back.
  [[nodiscard]] virtual Result<void> remove(std::span<const uint64_t> numbers) = 0;
  /// Removes segments that all copies of the root exclude from the log. What they hold is left as
  /// it is, since a backup may share it, and does not matter if their names come back. Returns
  /// those that the storage would not let go for now. An error, of the sync, ends all writing.
  [[nodiscard]] virtual Result<std::vector<uint64_t>> drop(std::span<const uint64_t> numbers) = 0;

  /// Copies [begin, end) of a segment to where an operator finds it, durably; returns where.
  /// `no_space` if there is none.
  [[nodiscard]] virtual Result<std::string> save_torn(uint64_t number, Lsn lsn,
                                                      SegmentReader& segment, uint64_t begin,
                                                      uint64_t end) = 0;

  /// Tells followers that everything below `lsn` is durable. Wait-free.
  virtual void publish_durable(Lsn lsn) = 0;
  /// Shows them the bytes that were written at `offset` of a segment, whole words, for them to read
  /// once they are durable. In memory, one after the other.
  virtual void show_newest(uint64_t number, uint64_t offset, std::span<const std::byte> bytes) = 0;
  /// Wakes followers that wait for what is durable; returns how many, or 0 if that is not known.
  /// After an I/O at the most, never under a lock.
  virtual uint64_t wake_followers() = 0;
  /// Tells followers that a truncation begins: the root will have this count.
  virtual void announce_truncation(uint64_t count) = 0;
  /// Tells followers of another epoch of the same owner, and of an end that may have gone back.
  virtual void announce(const RootState& root) = 0;
  /// The signs of the page, whether it is stale or not; nothing if there is none. Wait-free.
  [[nodiscard]] virtual std::optional<ControlSigns> control_signs() = 0;
  /// Sleeps until they differ from `seen`, for `timeout` at the longest. False, at once, if there
  /// is no page.
  [[nodiscard]] virtual bool wait_for_change(uint64_t seen, std::chrono::nanoseconds timeout) = 0;
  /// Ends the waits of this process, maybe those of others, too.
  virtual void interrupt_waits() = 0;
  /// What the present writer tells, if there is one of this boot; its page may be stale.
  [[nodiscard]] virtual std::optional<ControlState> read_control() = 0;
  /// Whether the writer that `state` names still runs.
  [[nodiscard]] virtual bool is_writing(const ControlState& state) = 0;

  /// Whether the storage is full, so that a frame waits to be written until it is not: then
  /// nothing more is to be admitted. Wait-free.
  [[nodiscard]] virtual bool is_full() const { return false; }
  /// What waits for space fails from now on: the log is about to be closed.
  virtual void stop_waiting_for_space() {}

  /// Whether the log was destroyed since it was opened; there may be another one in its place.
  [[nodiscard]] virtual Result<bool> is_destroyed() = 0;

  /// Gives up ownership. Segments that are open stay readable; nothing else may be called.
  virtual void release() = 0;

  /// The method in use; after claim().
  [[nodiscard]] virtual SyncMethod sync_method() const = 0;
  /// Writes of frames begin at its multiples; after claim().
  [[nodiscard]] virtual uint64_t write_unit() const = 0;
  /// Frames that are aligned to so many bytes are out of reach of each other's torn writes.
  [[nodiscard]] virtual uint64_t safe_alignment() const = 0;
  /// Whether a call may have a thread of its own help it: where the order of calls to the storage
  /// has to be the same each time, none may.
  [[nodiscard]] virtual bool allows_threads() const = 0;
  /// Whether ReadSource::device reads the device.
  [[nodiscard]] virtual bool reads_device() const = 0;
};

}  // namespace writeahead::internal
