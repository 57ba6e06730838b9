// Log: a write-ahead log in one directory, opened for writing.
//
// The contract. When `append` returns success the record survives process kill, kernel crash and
// power loss on a file system and disk that honour a flush. Records are read back in append order,
// byte for byte, at the address that `append` returned, until the caller trims them. After an I/O
// error the log stops and says so; it never acknowledges again until it is reopened. Damage to
// acknowledged data is reported with its place and never silently dropped.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "writeahead/append_async.h"
#include "writeahead/batch.h"
#include "writeahead/durability.h"
#include "writeahead/env.h"
#include "writeahead/export.h"
#include "writeahead/hold.h"
#include "writeahead/log_identity.h"
#include "writeahead/lsn.h"
#include "writeahead/options.h"
#include "writeahead/payload.h"
#include "writeahead/producer_number.h"
#include "writeahead/reader.h"
#include "writeahead/recovery_report.h"
#include "writeahead/result.h"
#include "writeahead/stats.h"

namespace writeahead {

namespace internal {
class LogState;
}

/// An open log. Every call may be made from any number of threads at once, except moving,
/// assigning and destroying. Records have one order, that of their Lsns; an append that returned
/// before another began comes before it.
///
/// States: open, then `failed` after the first write or sync that failed (reads go on; appends
/// answer `failed` with the first cause), then closed. A log on an object store (object_store.h)
/// answers `fenced` instead, for ever, once another writer has taken it over. In a child process
/// after fork() every call that can answers `failed`; positions and facts are those of the fork, or
/// those of an empty log. Nothing is written there, and nothing read.
class WRITEAHEAD_EXPORT Log {
 public:
  /// Opens the log in directory `path` for writing, recovers it if it was not closed, and takes
  /// exclusive ownership until close. Or the one at an address, "rados://pool/name", if the program
  /// is linked with what opens such; there it takes the log over from whoever has it, and nobody is
  /// `locked`.
  ///
  /// Codes: `not_found` (no log, and create_if_missing is off), `locked` (another owner, named in
  /// the message), `corruption` (acknowledged bytes are damaged; nothing was changed),
  /// `unsupported_format`, `no_space` (none for the root, or to save a torn tail, or the process
  /// may not write files of 20 KiB), `io`, `invalid_argument` (of an option, or every user may
  /// write to the directory). Cost: a directory listing, one header a segment, one read of the last
  /// segment, and a few syncs. A crash inside leaves a log that opens just as well.
  [[nodiscard]] static Result<Log> open(const std::string& path, const Options& options = {});

  /// Removes the log in directory `path`, or at that address, a damaged one, too: its own files,
  /// and the directory, if that is empty then and may be removed. Files of other names stay. Of the
  /// options only `env` matters.
  ///
  /// Takes the ownership first: `locked` if somebody has it. Durable on return. A crash inside
  /// leaves the log whole, or one that opens without a record, or none; so does an error, and
  /// another call goes on with it. Followers are told `not_found`. Codes: `not_found` (no log
  /// there), `locked`, `unsupported_format`, `no_space` (as open()), `io`.
  [[nodiscard]] static Result<void> destroy(const std::string& path, const Options& options = {});

  Log(Log&&) noexcept;
  Log& operator=(Log&&) noexcept;
  /// Closes as close() does, but cannot report.
  ~Log();

  /// Appends one record and returns its address once it has the level that was asked for: by
  /// default, once it is durable.
  ///
  /// Concurrent callers share frames and barriers; the calling thread does the work when nobody
  /// else is doing it. Level `buffered` copies the payload and does no I/O, unless a segment is
  /// full and the next one not ready, or Options::async_bytes are on their way: then it waits.
  /// Codes: `too_large`, `no_space` (nothing was written; appends go on when space is back),
  /// `failed` (the record may or may not be there after reopening), `closed`, `repeated` (only with
  /// AppendOptions::producer_number, which also says what becomes of a repeat). On a crash before
  /// it returns, the record is there whole or not at all; on one after it returned with a level
  /// below `durable`, too, and then so are all records in front of it or it is not.
  [[nodiscard]] Result<Lsn> append(Payload payload, AppendOptions options = {});

  /// Appends all records of `batch` in one frame: after a crash all of them are there or none.
  /// Codes as above, and `invalid_argument` for an empty batch. A batch larger than a segment gets
  /// a segment of its own size.
  [[nodiscard]] Result<Appended> append(const Batch& batch,
                                        Durability durability = Durability::durable);
  [[nodiscard]] Result<Appended> append(const Batch& batch, BatchOptions options);

  /// Appends one record without waiting for it: copies the payload, gives it its place, and
  /// returns. `callback` runs exactly once, as append_async.h says, with what append() would have
  /// returned.
  ///
  /// Records have the order of the calls of one thread. When one was refused with `no_space`, so
  /// are all that were made before its callback was told. Waits while Options::async_bytes are on
  /// their way, doing what it waits for, and for a segment if none is ready. Throws only
  /// std::bad_alloc, and then nothing was appended and the callback is not called. On a closed log
  /// the callback runs before the call returns.
  void append_async(Payload payload, AppendOptions options, AppendCallback callback);
  void append_async(Payload payload, AppendCallback callback);
  /// The same for a batch.
  void append_async(const Batch& batch, Durability durability, BatchCallback callback);
  void append_async(const Batch& batch, BatchOptions options, BatchCallback callback);
  void append_async(const Batch& batch, BatchCallback callback);
  /// The same for a coroutine: `Result<Lsn> lsn = co_await log.append_async("payload");`
  [[nodiscard]] AppendAwaitable append_async(Payload payload, AppendOptions options = {});

  /// As append_async, but where that would wait it answers `would_block`; and every refusal is
  /// returned here and not told to the callback, which is then not called.
  [[nodiscard]] Result<void> try_append_async(Payload payload, AppendOptions options,
                                              AppendCallback callback);
  [[nodiscard]] Result<void> try_append_async(const Batch& batch, Durability durability,
                                              BatchCallback callback);
  [[nodiscard]] Result<void> try_append_async(const Batch& batch, BatchOptions options,
                                              BatchCallback callback);

  /// Makes everything durable that was appended before the call, by whomever and at whichever
  /// level. One barrier at most; none if all is durable. Codes: `failed`, `closed`.
  [[nodiscard]] Result<void> sync();

  /// Waits until the record at `lsn` is durable, at most for `timeout`, or until `stop` is asked
  /// for. Starts no barrier: a record of a lower level is durable after sync() or
  /// Options::sync_interval_ms. Codes: `not_found` (nothing was appended there yet), `would_block`
  /// (the time is over, or the wait was stopped), `failed`, `closed`.
  [[nodiscard]] Result<void> wait_durable(
      Lsn lsn, std::optional<std::chrono::nanoseconds> timeout = std::nullopt,
      const std::stop_token& stop = {});

  /// The record at `lsn`, verified. Codes: `not_found` (no record begins there, or none is durable
  /// there yet), `trimmed`, `corruption`, `io`. The first read in a closed segment reads it whole
  /// once, to check it against what its successor says of it, unless `options` say otherwise.
  [[nodiscard]] Result<RecordView> read(Lsn lsn, ReadOptions options = {}) const;

  /// The records at `lsns`, in their order, each as read() answers it. Faster than so
  /// many calls where the records lie in memory and far apart: what the next ones need is fetched
  /// while one is read. Fastest for some dozens to some hundreds at a time.
  [[nodiscard]] std::vector<Result<RecordView>> read_many(std::span<const Lsn> lsns,
                                                          ReadOptions options = {}) const;

  /// A cursor from `from` on: a record's address, the position behind one, or first_lsn(). A
  /// position that is none of these shows as the range's first element, an error. It shows what is
  /// durable, unless `options` ask for more.
  [[nodiscard]] Reader reader(Lsn from, ReaderOptions options = {}) const;

  /// The address of record number `ordinal`. `trimmed` or `not_found` outside of what is there.
  [[nodiscard]] Result<Lsn> find_ordinal(uint64_t ordinal) const;

  /// The address of the first record whose RecordView::time_ns is at least `time_ns`; `not_found`
  /// if all are older. Looks into one segment, or two.
  [[nodiscard]] Result<Lsn> find_time(uint64_t time_ns) const;

  /// The newest durable record; `not_found` if there is none.
  [[nodiscard]] Result<RecordView> last() const;

  /// Where the log begins: everything below was trimmed.
  [[nodiscard]] Lsn first_lsn() const;
  /// Behind the last record that was appended, of whichever level; also what is on its way.
  [[nodiscard]] Lsn end_lsn() const;
  /// Everything below survives a power cut.
  [[nodiscard]] Lsn durable_lsn() const;
  /// Whether there is no durable record.
  [[nodiscard]] bool is_empty() const;
  /// The number of this opening; grows at each, and at each truncation.
  [[nodiscard]] uint64_t epoch() const;
  /// What tells this log, and the course that it took, from others: for what is derived of it and
  /// kept elsewhere.
  [[nodiscard]] LogIdentity identity() const;
  /// The directory, as open() was given it.
  [[nodiscard]] const std::string& path() const;
  /// The system that it was opened with.
  [[nodiscard]] Env& env() const;

  /// Gives up what lies below the smallest of `lsn` and all holds, in whole segments, and their
  /// space, but for what Options::standby_segments keeps to be used again. `lsn` need not be a
  /// record's address. At or beyond the end, all records go and the log is empty; the next record
  /// gets the address and the number that it would have had anyway.
  ///
  /// Needs no space. Durable on return; on a crash before that, the log begins at the old position
  /// or at the new one. Views and the segment that a reader is in stay readable; new reads below
  /// first_lsn() answer `trimmed`. Codes: `failed`, `closed`.
  [[nodiscard]] Result<void> trim_before(Lsn lsn);

  /// Removes the records from `lsn` on: the log becomes [first_lsn(), lsn), and the next record
  /// goes behind. `lsn` is a record's address or the position behind one; inside of a batch, too.
  /// At the end it does nothing, at first_lsn() it empties the log. For a consensus log whose
  /// newest entries were not agreed upon.
  ///
  /// Durable on return; on a crash before that, the log ends at the old position or at `lsn`, and
  /// never in between. Waits for appends in progress; later ones wait for it. Lsns and ordinals
  /// from there on are used again: readers that stand above get `truncated`, those below go on.
  /// Views stay readable. Holds above `lsn` are moved there. Takes an epoch of its own. Cost: reads
  /// the segment in which `lsn` lies, once, and prepares another.
  ///
  /// Codes: `not_found` (no record ends or begins there), `trimmed`, `no_space` (nothing was
  /// changed), `corruption` (of the segment in which `lsn` lies; nothing was changed), `failed`
  /// (the log ends at either position after reopening), `closed`, `io` (it could not be read),
  /// `invalid_argument` (on an object store, which does not offer it).
  [[nodiscard]] Result<void> truncate_from(Lsn lsn);

  /// Makes a hold for the consumer `name`, or moves the one that it has, in either direction:
  /// nothing from `lsn` on is trimmed until the hold is advanced or released. Durable on return.
  /// Codes: `trimmed` if `lsn` lies below first_lsn(), `invalid_argument` (a name has 1 to 55
  /// bytes, a log at most 48 holds), `failed`, `closed`.
  [[nodiscard]] Result<Hold> hold(std::string_view name, Lsn lsn);
  /// All holds, with the positions that trims obey now.
  [[nodiscard]] std::vector<HoldInfo> holds() const;

  [[nodiscard]] Stats stats() const;
  [[nodiscard]] const RecoveryReport& recovery_report() const;
  [[nodiscard]] std::vector<SegmentInfo> segments() const;

  /// Waits for appends in progress and makes them durable, runs their callbacks, writes the pending
  /// seals and the root's proof of the end, and gives up ownership. Later calls answer `closed`;
  /// reads too. Success means that everything acknowledged is proven by the root, so that any later
  /// damage to it is found. After a failure it returns the first cause and writes nothing. Calling
  /// it again does nothing.
  [[nodiscard]] Result<void> close();

  /// One step of what the background thread does, for BackgroundWork::stepped: commits frames of
  /// async and buffered appends, runs their callbacks, prepares a segment, writes a pending seal,
  /// or proves the end of a log that was idle for a second. Returns whether it did anything.
  bool step_background();

 private:
  explicit Log(std::shared_ptr<internal::LogState> state);
  std::shared_ptr<internal::LogState> state_;
};

}  // namespace writeahead
