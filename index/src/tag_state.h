// TagState: the records of one tag that were not popped, each with its address and where it lies.
//
// That is the same, until a record is moved: appended once more at the end of the log, so that a
// slow consumer does not keep all of it. The address stays what consumers know the record by.
//
// Moved ones are kept in two runs, in each of which both addresses and places ascend. Those of
// `fresh` are in front of those of `old`, and these in front of those that were never moved. What
// is moved for the first time goes behind the old ones. What is moved again goes from the front
// of the old ones behind the fresh ones, which are the old ones as soon as there are no others;
// until then nothing is moved for the first time. So the runs can be made of the rest of a log
// whose front was trimmed: what it does not know goes where its address and its place are last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "lsn_queue.h"
#include "spill_file.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead::index::internal {

struct TagPlace {
  Lsn lsn;  ///< The record's address.
  Lsn at;   ///< Where it lies.
  friend bool operator==(const TagPlace&, const TagPlace&) = default;
};

/// One thread at a time. Errors are of the spill file; behind one of a change nothing is right.
class TagState {
 public:
  [[nodiscard]] bool is_empty() const { return records_.is_empty() && moved_ == nullptr; }
  /// False if a change of both an address and a place ran out of memory between the two.
  [[nodiscard]] bool is_whole() const;
  [[nodiscard]] uint64_t size() const;
  [[nodiscard]] uint64_t heap_bytes() const;
  /// All below it was popped.
  [[nodiscard]] Lsn popped() const { return popped_; }
  /// Whether there is a record from the address `from` on.
  [[nodiscard]] bool has_from(Lsn from) const;
  /// Where the log has to be kept from for this tag; nothing if there is no record.
  [[nodiscard]] std::optional<Lsn> first_needed() const;

  /// A record that lies at its address, above all others; one that is not is there already.
  void push(Lsn lsn);
  /// The record `lsn` lies at `at` from now on: one that was due, or that is not known because it
  /// lay in front of all that is. Nothing if it was popped, or if this was said before.
  [[nodiscard]] Result<void> move(Lsn lsn, Lsn at, const SpillFile* spill);
  [[nodiscard]] Result<void> pop(Lsn up_to, const SpillFile* spill);
  /// Takes out all from the address `lsn` on, none of which was moved.
  [[nodiscard]] Result<void> cut(Lsn lsn, const SpillFile* spill);
  /// Takes out what lies below `first`, where the log begins.
  [[nodiscard]] Result<void> drop_lost(Lsn first, const SpillFile* spill);

  /// Adds up to `most` records to `out`, in the order of their addresses, from `from` on.
  [[nodiscard]] Result<void> copy_from(Lsn from, size_t most, const SpillFile* spill,
                                       std::vector<TagPlace>& out) const;
  /// Adds up to `most` of those to `out` that have to be moved next, and in this order, so that
  /// none lies below `limit` in the end.
  [[nodiscard]] Result<void> copy_due(Lsn limit, size_t most, const SpillFile* spill,
                                      std::vector<TagPlace>& out) const;
  /// As LsnQueue::spill.
  [[nodiscard]] Result<uint64_t> spill(SpillFile& file);

  /// In words of 64 bits.
  [[nodiscard]] Result<void> dump(Lsn first, const SpillFile* spill,
                                  std::vector<std::byte>& out) const;
  [[nodiscard]] bool load(std::span<const std::byte>& bytes);

 private:
  struct Run {
    LsnQueue lsns;
    LsnQueue places;  // of each the same one
  };
  struct Moved {
    Run fresh;
    Run old;
  };

  static void add(Run& run, Lsn lsn, Lsn at);
  [[nodiscard]] static Result<void> drop_below(Run& run, Lsn lsn, const SpillFile* spill);
  [[nodiscard]] static Result<void> drop_lost(Run& run, Lsn first, const SpillFile* spill);
  [[nodiscard]] static Result<void> drop_first(Run& run, const Result<uint64_t>& count,
                                               const SpillFile* spill);
  [[nodiscard]] static Result<void> copy_run(const Run& run, uint64_t rank, size_t most,
                                             const SpillFile* spill, std::vector<TagPlace>& out);
  [[nodiscard]] static bool load_run(std::span<const std::byte>& bytes, Run& run);
  void settle();

  LsnQueue records_;              // that were never moved
  std::unique_ptr<Moved> moved_;  // none if there are none
  Lsn popped_;
};

}  // namespace writeahead::index::internal
