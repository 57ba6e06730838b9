// IdIndex: where the records of an id are in a log. In memory, rebuilt from the log, and opened
// from a snapshot.
//
//     auto index = IdIndex<uint64_t>::open(log, [](const RecordView& record, auto& edits) {
//       edits.put(user_of(record.payload));
//     });
//     auto lsn = log.append(payload);               // durable
//     (*index)->advance_to(*lsn);                   // the index knows it
//     if (auto at = (*index)->find(user)) use(log.read(*at));
//
// The index is a fold of the log and nothing else: it holds what the extractor says of the records
// that are there, in their order. What is on disk beside the log, in its directory `index` or where
// IndexOptions::cache_directory says, only makes an opening quicker: a snapshot that is missing,
// damaged, or of another course of the log is not used, and IndexOpening says so.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "writeahead/index/detail/id_contents.h"
#include "writeahead/index/detail/index_core.h"
#include "writeahead/index/id_codec.h"
#include "writeahead/index/id_edits.h"
#include "writeahead/index/index_options.h"
#include "writeahead/log.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead::index {

/// Every call may be made from any number of threads at once, except destroying. The log has to
/// outlive the index, and must not be moved meanwhile. Several indexes of one log need different
/// names.
///
/// Memory, of 64-bit ids, one address each: 19 to 39 bytes an entry hashed, 18 to 28 ordered.
template <IndexId Id, IndexOrder kOrder = IndexOrder::hashed,
          IndexValues kValues = IndexValues::last>
class IdIndex {
 public:
  /// Loads the newest snapshot that can be used and takes in the records behind it: returns when
  /// all is in that was durable at the call. Codes: `locked` (this index of this log is open
  /// already), `invalid_argument` (its name, or every user may write to the cache), `no_space`,
  /// `io`, and what reading the log says.
  /// Cost: a read of the snapshot, 20 to 60 ns an entry, and of the log behind it.
  [[nodiscard]] static Result<std::unique_ptr<IdIndex>> open(Log& log, IdExtractor<Id> extract,
                                                             const IndexOptions& options = {}) {
    std::unique_ptr<IdIndex> index(new IdIndex(std::move(extract), options.extractor_version));
    auto core = internal::IndexCore::open(log, index->contents_, options);
    if (!core) return std::unexpected(core.error());
    index->core_ = std::move(*core);
    index->core_->start();
    return index;
  }

  /// The address of an id, of several the newest; nothing if it has none. As of position(): a
  /// record that was appended since is not known yet, and one that was trimmed since may still be.
  [[nodiscard]] std::optional<Lsn> find(const Id& id) const { return contents_.all().find(id); }
  /// The same for many: of a hashed index what one needs is fetched while others are looked for,
  /// which is several times as fast. `out` has as many elements as `ids`. Records are taken in
  /// between every thousand of them.
  void find_many(std::span<const Id> ids, std::span<std::optional<Lsn>> out) const {
    constexpr size_t kAtOnce = 1000;
    for (; !ids.empty(); ids = ids.subspan(std::min(kAtOnce, ids.size()))) {
      const size_t count = std::min(kAtOnce, ids.size());
      contents_.all().find_many(ids.first(count), out.first(count));
      out = out.subspan(count);
    }
  }
  /// All addresses of an id, in the order of the log.
  [[nodiscard]] std::vector<Lsn> find_all(const Id& id) const
    requires(kValues == IndexValues::all)
  {
    std::vector<Lsn> lsns;
    contents_.all().find_all(id, lsns);
    return lsns;
  }
  /// `visit(id, lsn)` for every entry; if ordered, in the order of ids. What is taken in meanwhile
  /// waits for it, so it should not take long, and must not call this index.
  template <class Visit>
  void visit(const Visit& visit) const {
    contents_.all().visit(visit);
  }
  /// The same from `from` on, as long as `visit` returns true.
  template <class Visit>
  void visit_from(const Id& from, const Visit& visit) const
    requires(kOrder == IndexOrder::ordered)
  {
    contents_.all().visit_from(from, visit);
  }

  /// Takes in all records up to the one at `lsn`, that one included, if that has not been done
  /// yet. For who appended a record and wants to find it: `lsn` is durable. Codes: `not_found` if
  /// nothing durable is there yet, and what reading the log says; then the position stays in front
  /// of the record that could not be read, and the next call tries again. Cost: what is missing.
  [[nodiscard]] Result<void> advance_to(Lsn lsn) { return core_->advance_to(lsn); }
  /// Takes in all that is durable.
  [[nodiscard]] Result<void> advance() { return core_->advance(); }
  /// Everything below was taken in. Goes back if the log was truncated below it: the index is
  /// made anew then, by the next call that takes records in.
  [[nodiscard]] Lsn position() const { return core_->position(); }

  /// Takes in all that is durable and writes a snapshot: from then on an opening begins there.
  /// Appends, lookups and, but for moments, the taking in of records go on meanwhile. Durable on
  /// return; on a crash before that the last one counts. Where snapshots have no place, at an
  /// address without IndexOptions::cache_directory, it takes in, and no more. Codes: `no_space`,
  /// `io`, `truncated` (the log was, meanwhile: call again), and what reading the log says.
  [[nodiscard]] Result<void> write_snapshot() { return core_->write_snapshot(); }
  /// Ends the background and writes a snapshot if anything was taken in since the last one. Lookups
  /// go on, and nobody else may open this index before it is destroyed. The destructor ends the
  /// background only; not in a forked child, which has no such thread.
  [[nodiscard]] Result<void> close() { return core_->close(); }

  /// One step of what the background does, for BackgroundWork::stepped. Whether it did anything.
  bool step_background() { return core_->step_background(); }

  [[nodiscard]] IndexStats stats() const { return core_->stats(); }
  [[nodiscard]] const IndexOpening& opening() const { return core_->opening(); }

 private:
  IdIndex(IdExtractor<Id> extract, uint64_t extractor_version)
      : contents_(std::move(extract), extractor_version) {}

  internal::IdContents<Id, kOrder, kValues> contents_;
  std::unique_ptr<internal::IndexCore> core_;
};

}  // namespace writeahead::index
