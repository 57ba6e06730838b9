// IndexContents: the entries of an index, whatever its ids are, as the log and snapshots see them.
//
// One thread at a time calls it, but for what a subclass offers to readers beside that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "writeahead/export.h"
#include "writeahead/lsn.h"
#include "writeahead/reader.h"
#include "writeahead/result.h"

namespace writeahead::index::internal {

/// What entries have to agree in, so that a snapshot of some can be loaded by others.
struct ContentsFormat {
  uint64_t order = 0;
  uint64_t values = 0;
  uint64_t id_format = 0;
  uint64_t extractor_version = 0;
  friend bool operator==(const ContentsFormat&, const ContentsFormat&) = default;
};

/// Entries that are dumped, and loaded, together.
struct ContentsPart {
  std::vector<std::byte> bytes;
  uint64_t entries = 0;
};

class WRITEAHEAD_EXPORT IndexContents {
 public:
  IndexContents() = default;
  IndexContents(const IndexContents&) = delete;
  IndexContents& operator=(const IndexContents&) = delete;
  virtual ~IndexContents() = default;

  [[nodiscard]] virtual ContentsFormat format() const = 0;
  [[nodiscard]] virtual uint64_t entries() const = 0;
  /// What spreads ids; goes along in a snapshot, for the order of its entries is made by it.
  [[nodiscard]] virtual uint64_t hash_seed() const = 0;

  /// Takes records in, one after the other. If it threw bad_alloc it is called again with the same
  /// records, from any of those on that it had taken in.
  virtual void apply(std::span<const RecordView> records) = 0;
  /// Of contents that were not loaded. From here to end_bulk() nobody looks: what is taken in may
  /// be put off, and done in an order that is quicker.
  virtual void begin_bulk() {}
  virtual void end_bulk() {}
  /// Drops everything.
  virtual void clear(uint64_t hash_seed) = 0;
  /// Takes some entries of records below `first` out; so often called, all are looked at in turn.
  virtual void sweep_some(Lsn first) = 0;

  /// Begins a dump. Between its parts records may be taken in: each part is of its own moment.
  virtual void begin_dump() = 0;
  /// Fills in the next part, without entries of records below `first`. False behind the last one.
  [[nodiscard]] virtual Result<bool> dump_next(Lsn first, ContentsPart& part) = 0;

  /// Loads the next part of a dump into contents that were cleared; it is of the moment in which
  /// everything below `position` was taken in, so that what apply() gets from below does not
  /// change it again. False if these are no bytes that dump_next() makes.
  [[nodiscard]] virtual bool load_next(std::span<const std::byte> bytes, uint64_t entries,
                                       Lsn position) = 0;
};

}  // namespace writeahead::index::internal
