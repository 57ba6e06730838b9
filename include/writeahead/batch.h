// Batch: records that the caller wants together.
//
// A batch always lies inside one frame, so that after a crash all of its records are there or none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "writeahead/export.h"
#include "writeahead/lsn.h"
#include "writeahead/payload.h"

namespace writeahead {

namespace internal {
class BatchAccess;
}

/// Where an append put its records.
struct Appended {
  Lsn first_lsn;               ///< Address of the first record.
  Lsn end_lsn;                 ///< First position behind the last record.
  uint64_t first_ordinal = 0;  ///< Ordinal of the first record; the others follow without a gap.
};

/// Collects records for one append. Holds copies of the payloads and has done all work that needs
/// no address, so that the append itself is short. Not thread-safe; may be reused after clear().
class WRITEAHEAD_EXPORT Batch {
 public:
  /// Copies `payload` behind the records that are already here. Throws only std::bad_alloc, and
  /// leaves the batch as it was then. A length above 4 GiB - 1 is kept in mind and refused, with
  /// `too_large`, by the append.
  void add(Payload payload, RecordOptions options = {});

  /// Number of records.
  [[nodiscard]] size_t size() const { return records_.size(); }
  [[nodiscard]] bool is_empty() const { return records_.empty(); }
  /// Bytes that the records take in the log, headers and padding included; under a producer's
  /// number 16 more for each.
  [[nodiscard]] uint64_t encoded_bytes() const { return bytes_.size(); }

  /// The address of record `index` after the append that answered `range`. O(1). Of a repeat, only
  /// if the batch is as it was when it was appended first.
  [[nodiscard]] Lsn lsn(size_t index, const Appended& range) const {
    // Under a producer's number each record takes some bytes more.
    const uint64_t more = (range.end_lsn - range.first_lsn - bytes_.size()) / records_.size();
    return range.first_lsn + (records_[index].position + index * more);
  }

  /// Removes all records and keeps the memory.
  void clear();

 private:
  friend class internal::BatchAccess;
  struct Record {
    uint64_t position;      // of the record's header in bytes_
    uint64_t payload_hash;  // what the record's checksum is made from once its Lsn is known
    uint64_t length;
    uint16_t type;
  };
  std::vector<std::byte> bytes_;  // the records as they stand in a frame, checksums still zero
  std::vector<Record> records_;
  uint64_t longest_ = 0;
};

}  // namespace writeahead
