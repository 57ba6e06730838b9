// ReadOnlyLog: a log that somebody else may be writing, or nobody.
//
// It never writes to the log, takes no lock that a writer would notice, and survives the writer.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "writeahead/export.h"
#include "writeahead/lsn.h"
#include "writeahead/options.h"
#include "writeahead/reader.h"
#include "writeahead/recovery_report.h"
#include "writeahead/result.h"

namespace writeahead {

namespace internal {
class FollowedLog;
class ReadView;
}  // namespace internal

/// What was durable in a log when it was opened, when refresh() was called last, or when a reader
/// of it waited: in between it stays as it is, but for what a writer takes away. Thread-safe as Log
/// is.
///
/// It follows writers as they come, die and go. Records are handed out once they are durable, by
/// what their writer says, or, where there is no writer, by what the next one would keep. What a
/// writer trims is `trimmed` here as soon as its files are gone, unless a hold keeps it, and what
/// it truncates is `truncated`. Once the log is destroyed, refresh() and waits answer `not_found`,
/// even if another log is made in its place.
class WRITEAHEAD_EXPORT ReadOnlyLog {
 public:
  /// Opens the log in directory `path`, or at an address as Log::open() takes it, for reading,
  /// beside a writer or without one.
  ///
  /// Beside a writer of the same boot it serves what the writer says is durable. Otherwise it
  /// judges the end of the log as recovery does, syncs what it found and serves the valid records;
  /// nothing is repaired. Codes: `not_found` (no directory, or no log in it), `corruption`,
  /// `unsupported_format`, `io`. A half-created log is an empty one.
  [[nodiscard]] static Result<ReadOnlyLog> open(const std::string& path,
                                                const ReadOnlyOptions& options = {});

  /// Checks every byte that matters, up to what is durable if a writer is at work. Damage is in the
  /// report, not an error; the errors are `not_found`, `unsupported_format` and `io`.
  [[nodiscard]] static Result<VerifyReport> verify(const std::string& path,
                                                   const ReadOnlyOptions& options = {});

  ReadOnlyLog(ReadOnlyLog&&) noexcept;
  ReadOnlyLog& operator=(ReadOnlyLog&&) noexcept;
  ~ReadOnlyLog();

  /// Takes in what became durable since. Cheap if a writer only appended: reads the new bytes.
  [[nodiscard]] Result<void> refresh();

  /// These are as in Log; durable means durable when it was looked at last.
  [[nodiscard]] Result<RecordView> read(Lsn lsn, ReadOptions options = {}) const;
  [[nodiscard]] std::vector<Result<RecordView>> read_many(std::span<const Lsn> lsns,
                                                          ReadOptions options = {}) const;
  /// Its next() ends at what is known to be durable. Its wait_next() goes on from there, woken by
  /// the writer, and never ends with `closed` or `failed`: another writer may come. A stop ends it
  /// at once, or within 50 ms if the log's files may not be written.
  [[nodiscard]] Reader reader(Lsn from) const;
  [[nodiscard]] Result<Lsn> find_ordinal(uint64_t ordinal) const;
  [[nodiscard]] Result<Lsn> find_time(uint64_t time_ns) const;
  [[nodiscard]] Result<RecordView> last() const;
  [[nodiscard]] Lsn first_lsn() const;
  [[nodiscard]] Lsn durable_lsn() const;
  [[nodiscard]] bool is_empty() const;
  [[nodiscard]] uint64_t records() const;
  [[nodiscard]] uint64_t epoch() const;
  [[nodiscard]] std::vector<SegmentInfo> segments() const;

 private:
  ReadOnlyLog(std::shared_ptr<internal::ReadView> view,
              std::shared_ptr<internal::FollowedLog> followed, std::vector<SegmentInfo> standbys);
  std::shared_ptr<internal::ReadView> view_;
  std::shared_ptr<internal::FollowedLog> followed_;
  std::vector<SegmentInfo> standbys_;
};

}  // namespace writeahead
