// IdContents: the entries of an index by ids of one type, and what turns records into them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "writeahead/index/detail/hashed_entries.h"
#include "writeahead/index/detail/index_contents.h"
#include "writeahead/index/detail/make_edit.h"
#include "writeahead/index/detail/ordered_entries.h"
#include "writeahead/index/id_codec.h"
#include "writeahead/index/id_edits.h"
#include "writeahead/index/index_options.h"
#include "writeahead/lsn.h"
#include "writeahead/reader.h"
#include "writeahead/result.h"

namespace writeahead::index::internal {

template <IndexId Id, IndexOrder kOrder, IndexValues kValues>
class IdContents final : public IndexContents {
 public:
  using Entries = std::conditional_t<kOrder == IndexOrder::hashed, HashedEntries<Id, kValues>,
                                     OrderedEntries<Id, kValues>>;

  IdContents(IdExtractor<Id> extract, uint64_t extractor_version)
      : extract_(std::move(extract)), extractor_version_(extractor_version) {}

  [[nodiscard]] const Entries& all() const { return entries_; }

  [[nodiscard]] ContentsFormat format() const override {
    return {.order = static_cast<uint64_t>(kOrder),
            .values = static_cast<uint64_t>(kValues),
            .id_format = IdCodec<Id>::kFormat,
            .extractor_version = extractor_version_};
  }
  [[nodiscard]] uint64_t entries() const override { return entries_.size(); }
  [[nodiscard]] uint64_t hash_seed() const override { return entries_.hash_seed(); }

  void apply(std::span<const RecordView> records) override {
    edits_.clear();
    ends_.clear();
    for (const RecordView& record : records) {
      extract_(record, edits_);
      ends_.push_back(edits_.all().size());
    }
    if (is_bulk_) {
      defer(records);
    } else {
      make_all(records);
    }
  }
  void begin_bulk() override { is_bulk_ = true; }
  void end_bulk() override {
    entries_.settle();
    is_bulk_ = false;
  }
  void clear(uint64_t hash_seed) override {
    entries_.clear(hash_seed);
    loaded_end_ = Lsn();
  }
  void sweep_some(Lsn first) override { entries_.sweep_some(first); }
  void begin_dump() override { entries_.begin_dump(); }
  [[nodiscard]] Result<bool> dump_next(Lsn first, ContentsPart& part) override {
    return entries_.dump_next(first, part);
  }
  [[nodiscard]] bool load_next(std::span<const std::byte> bytes, uint64_t entries,
                               Lsn position) override {
    loaded_end_ = std::max(loaded_end_, position);
    return entries_.load_next(bytes, entries, position);
  }

 private:
  /// `visit(i, lsn)` for each of the edits at hand, with the record that it is of.
  template <class Visit>
  void each_edit(std::span<const RecordView> records, const Visit& visit) {
    size_t next = 0;
    for (size_t i = 0; i < records.size(); ++i) {
      for (; next < ends_[i]; ++next) visit(next, records[i].lsn);
    }
  }
  void defer(std::span<const RecordView> records) {
    constexpr size_t kMostDeferred = 2 << 20;
    each_edit(records,
              [&](size_t i, Lsn lsn) { entries_.defer({.edit = edits_.all()[i], .record = lsn}); });
    if (entries_.deferred() >= kMostDeferred) entries_.settle();
  }
  /// What an edit will look at is fetched while others before it are made.
  void make_all(std::span<const RecordView> records) {
    constexpr size_t kAhead = 16;
    const auto edits = edits_.all();
    for (size_t i = 0; i < std::min(kAhead, edits.size()); ++i) entries_.prefetch(edits[i].id);
    each_edit(records, [&](size_t i, Lsn lsn) {
      if (i + kAhead < edits.size()) entries_.prefetch(edits[i + kAhead].id);
      const bool is_loaded = lsn < loaded_end_ && entries_.has_taken_in(edits[i].id, lsn);
      if (!is_loaded) make_edit(entries_, edits[i], lsn);
    });
  }

  const IdExtractor<Id> extract_;
  const uint64_t extractor_version_;
  Entries entries_;
  bool is_bulk_ = false;      // Only of contents that were not loaded.
  IdEdits<Id> edits_;         // of the records at hand; kept for its memory
  std::vector<size_t> ends_;  // how many of them there are up to each record
  Lsn loaded_end_;            // Records from here on are in no part that was loaded.
};

}  // namespace writeahead::index::internal
