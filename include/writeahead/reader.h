// Reader and RecordView: reading records in append order.
// What is handed out was verified, and stays in place as long as its view is kept.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>

#include "writeahead/export.h"
#include "writeahead/lsn.h"
#include "writeahead/producer_number.h"
#include "writeahead/result.h"

namespace writeahead {

namespace internal {
class Cursor;
}

/// One record. The view keeps the memory of its payload alive, wherever that lies, so it may be
/// kept as long as wanted and outlives reader and log. Copying it is cheap.
struct RecordView {
  Lsn lsn;               ///< The record's address.
  uint64_t ordinal = 0;  ///< Its number; the first record of the log has 0. See ReadOptions.
  uint64_t time_ns = 0;  ///< When its frame was issued, in ns since 1970; never falls.
  uint16_t type = 0;     ///< RecordOptions::type of its append.
  std::span<const std::byte> payload;  ///< Its bytes, verified against the checksum.
  /// Of its append, if that had one. All records of a batch have the same.
  std::optional<ProducerNumber> producer_number = std::nullopt;
  /// Keeps `payload` in place, and with it what it lies in: a segment's mapping, a window of 64 KiB
  /// or more, or the record alone.
  std::shared_ptr<const void> pin;
};

/// What a point read looks at.
struct ReadOptions {
  /// The address is one that an append of this log returned, or a reader: look at the record alone,
  /// which is one read of one page or two, where nobody has read its segment yet. A plain read
  /// would read all of that segment then, to check it as a whole and to know where its records
  /// begin. The record is verified by its checksum, which counts in its address, all the same; but
  /// bytes within a payload that somebody made to look like a record of this very place would pass
  /// for one. RecordView::ordinal and time_ns may be 0, for they belong to the frame. Default
  /// false.
  bool record_alone = false;
};

/// What a reader of one's own log shows.
struct ReaderOptions {
  /// Also records that are not durable yet, as soon as their frame was written: those of level
  /// `written` once their append returned, those that are buffered or on their way some time later.
  /// Such a record may be gone after a crash. Once the log failed, nothing is shown any more that
  /// is not durable, and the reader ends with `failed`; next(), too. Reading them makes the system
  /// write them out of its cache. Default false.
  bool include_unsynced = false;
};

/// A forward cursor over what was durable when it was asked. An input range:
///
///     for (auto& record : log.reader(log.first_lsn())) {
///       if (!record) return record.error();
///       use(record->payload);
///     }
///
/// Every record is verified before it is handed out; by a reader that is the first one to read a
/// sealed segment, all records of it together, when the reader comes there. The range ends behind
/// the last durable record, or behind the first error. One reader belongs to one thread at a time;
/// any number may be open, beside appends. It may outlive the Log.
class WRITEAHEAD_EXPORT Reader {
 public:
  class Iterator;

  explicit Reader(std::unique_ptr<internal::Cursor> cursor);
  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;
  ~Reader();

  /// The next record; nothing when all that is durable was read (a later call may find more);
  /// an error once, and nothing from then on. Codes: `not_found` if the position that the reader
  /// began at is no record's address, nor one directly behind a record, nor first_lsn;
  /// `trimmed` if it lies below first_lsn; `corruption`; `io`.
  [[nodiscard]] std::optional<Result<RecordView>> next();

  /// The next record, waiting for it if need be: until one more is durable, `timeout` is over
  /// (none: for ever), or `stop` is asked for. The answer has the form of next()'s:
  ///  - a record;
  ///  - an error, and the same one again from every later call. Beside the codes of next():
  ///    `closed` or `failed`, once all that is durable was read and the Log was closed or
  ///    destroyed, or failed (also in a child after fork); `truncated` if the log was cut below
  ///    this position;
  ///  - nothing: `stop` was asked for, and stop.stop_requested() is true; else the time is over.
  ///    The reader may be used on.
  ///
  ///     while (auto record = reader.wait_next(stop)) {
  ///       if (!*record) return record->error();
  ///       use(**record);
  ///     }
  ///
  /// A stop comes before records that are there, and ends a wait at once. No waiting thread wakes
  /// up without a reason, and who appends pays nothing for readers that do not wait.
  [[nodiscard]] std::optional<Result<RecordView>> wait_next(
      const std::stop_token& stop = {},
      std::optional<std::chrono::nanoseconds> timeout = std::nullopt);

  /// The position behind the last record handed out: a reader begun there goes on with the next.
  [[nodiscard]] Lsn position() const;

  [[nodiscard]] Iterator begin();
  [[nodiscard]] std::default_sentinel_t end() const { return std::default_sentinel; }

 private:
  void advance(std::optional<Result<RecordView>>& record);
  std::unique_ptr<internal::Cursor> cursor_;
};

/// The input iterator of Reader; valid as long as the reader is not moved.
class Reader::Iterator {
 public:
  using value_type = Result<RecordView>;
  using difference_type = std::ptrdiff_t;

  explicit Iterator(Reader& reader) : reader_(&reader), current_(reader.next()) {}
  Result<RecordView>& operator*() const { return *current_; }
  Iterator& operator++() {
    reader_->advance(current_);
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const Iterator& iterator, std::default_sentinel_t) {
    return !iterator.current_;
  }

 private:
  Reader* reader_;
  mutable std::optional<Result<RecordView>> current_;
};

}  // namespace writeahead
