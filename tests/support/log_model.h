// LogModel: what a log must hold and may hold, from what was submitted and what was acknowledged.
//
// The records in submit order. A beginning of them is certain: acknowledged, or served by a
// recovery. Of those behind it any number of whole appends may be there. What a recovery dropped
// leaves the model, so that it is found when it comes back. A trim or a truncation that did not
// return has happened or not; the model learns which from what is there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace writeahead::testing {

using Bytes = std::vector<std::byte>;
using Records = std::vector<RecordView>;

/// Empty: nothing is wrong. Otherwise a line that says what is.
using Complaint = std::string;

struct ModelRecord {
  Bytes payload;
  uint16_t type = 0;
  bool ends_append = false;  // The last record of its append.
  std::optional<Lsn> lsn;    // Once it is known.
};

class LogModel {
 public:
  /// An append was begun. Its records are uncertain until acknowledge() or settle().
  void submit(const std::vector<Bytes>& payloads, uint16_t type);
  /// The last append succeeded and says that its records lie there.
  [[nodiscard]] Complaint acknowledge(std::span<const Lsn> lsns, uint64_t first_ordinal);
  /// The last append has its place, and will survive the process or not even that.
  [[nodiscard]] Complaint place(std::span<const Lsn> lsns, uint64_t first_ordinal, bool is_written);
  /// All that has its place is certain: it was made durable.
  void make_certain() { certain_ = written_ = placed_; }
  /// The process ended, and the machine did not: what was written is certain.
  void lose_process() { certain_ = std::max(certain_, written_); }
  /// The last append was refused before anything was written.
  void withdraw();
  /// A recovery found so many records, of which the first has that number if it is known: they
  /// are certain now, and the others are gone for good.
  [[nodiscard]] Complaint settle(uint64_t count, std::optional<uint64_t> first = {});
  [[nodiscard]] Complaint settle(const Records& seen);
  /// A trim was begun that may drop records below this number, in whole segments. settle() ends it.
  void begin_trim(size_t ordinal);
  /// A truncation was begun that drops the records from this number on.
  void begin_truncation(size_t ordinal);
  void end_truncation(bool has_happened);
  /// An opening has this epoch.
  [[nodiscard]] Complaint take_epoch(uint64_t epoch);

  /// Compares what was read with what is allowed.
  [[nodiscard]] Complaint compare(const Records& seen) const;
  [[nodiscard]] const std::vector<ModelRecord>& records() const { return records_; }
  [[nodiscard]] size_t certain() const { return certain_; }
  /// Number of the first record; the lowest possible one while a trim is uncertain.
  [[nodiscard]] size_t first() const { return first_; }
  /// Whether a trim or a truncation may have happened or not.
  [[nodiscard]] bool is_bound_uncertain() const {
    return truncation_.has_value() || highest_first_ != first_;
  }
  /// Changes with what may be there.
  [[nodiscard]] uint64_t key() const;
  /// The same among the models of all courses, not of one alone.
  [[nodiscard]] uint64_t key_among_courses() const;
  [[nodiscard]] uint64_t epoch() const { return epoch_; }

 private:
  std::vector<ModelRecord> records_;
  size_t certain_ = 0;
  size_t written_ = 0;  // So many survive the process.
  size_t placed_ = 0;   // So many were answered, at any level.
  size_t first_ = 0;
  size_t highest_first_ = 0;          // Above first_ while a trim is uncertain.
  std::optional<size_t> truncation_;  // The end that the log may have got instead.
  size_t last_append_ = 0;            // Where the last append begins.
  uint64_t epoch_ = 0;
};

/// Reads everything from first_lsn() on into `out`; complains of an error.
[[nodiscard]] Complaint read_all(const Log& log, Records& out);
[[nodiscard]] Complaint read_all(const ReadOnlyLog& log, Records& out);
/// Whether both hold the same records at the same places.
[[nodiscard]] Complaint compare_readings(const Records& first, const Records& second);
/// `what: code: message`.
[[nodiscard]] Complaint describe(std::string_view what, const Error& error);

}  // namespace writeahead::testing
