// IdEdits: what one record does to an index. Filled in by the caller's extractor.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "writeahead/lsn.h"
#include "writeahead/reader.h"

namespace writeahead::index {

/// One of them.
template <class Id>
struct IdEdit {
  enum class Kind : uint8_t { put, erase, erase_one };
  Kind kind = Kind::put;
  Id id;
  Lsn lsn;  ///< Of `erase_one`.
};

/// They take effect in the order in which they are made.
template <class Id>
class IdEdits {
 public:
  /// The id leads to this record: instead of another one with IndexValues::last, beside others
  /// with `all`.
  void put(Id id) {
    edits_.push_back({.kind = IdEdit<Id>::Kind::put, .id = std::move(id), .lsn = Lsn()});
  }
  /// The id leads nowhere any more.
  void erase(Id id) {
    edits_.push_back({.kind = IdEdit<Id>::Kind::erase, .id = std::move(id), .lsn = Lsn()});
  }
  /// The id does not lead to `lsn` any more.
  void erase(Id id, Lsn lsn) {
    edits_.push_back({.kind = IdEdit<Id>::Kind::erase_one, .id = std::move(id), .lsn = lsn});
  }

  [[nodiscard]] std::span<const IdEdit<Id>> all() const { return edits_; }
  void clear() { edits_.clear(); }

 private:
  std::vector<IdEdit<Id>> edits_;
};

/// Says what a record does to an index: always the same for the same record. Throws nothing but
/// bad_alloc; calls neither the index nor its log.
template <class Id>
using IdExtractor = std::function<void(const RecordView& record, IdEdits<Id>& edits)>;

}  // namespace writeahead::index
