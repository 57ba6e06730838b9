// OrderedEntries: ids in a B-tree, to be walked through in their order.
// One thread changes it, beside any number that look.
#pragma once

#include <absl/container/btree_set.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <utility>
#include <vector>

#include "writeahead/index/detail/index_contents.h"
#include "writeahead/index/detail/make_edit.h"
#include "writeahead/index/id_codec.h"
#include "writeahead/index/index_options.h"
#include "writeahead/lsn.h"

namespace writeahead::index::internal {

template <IndexId Id, IndexValues kValues>
class OrderedEntries {
 public:
  void put(const Id& id, Lsn lsn) {
    const std::unique_lock lock(mutex_);
    if constexpr (kValues == IndexValues::last) {
      const auto entry = tree_.lower_bound(id);
      if (entry != tree_.end() && entry->id == id) {
        entry->lsn = lsn;
        return;
      }
      tree_.insert(entry, Entry{id, lsn});
    } else {
      tree_.insert(Entry{id, lsn});
    }
    publish_size();
  }
  void erase(const Id& id) {
    const std::unique_lock lock(mutex_);
    tree_.erase(tree_.lower_bound(id), tree_.upper_bound(id));
    publish_size();
  }
  /// That one address of it.
  void erase(const Id& id, Lsn lsn) {
    const std::unique_lock lock(mutex_);
    for (auto entry = tree_.lower_bound(id); entry != tree_.end() && entry->id == id; ++entry) {
      if (entry->lsn != lsn) continue;
      tree_.erase(entry);
      break;
    }
    publish_size();
  }

  /// An edit that settle() is to make. In the order of ids, so that each finds what the one before
  /// has touched; of one id in the order in which they came.
  void defer(DeferredEdit<Id> edit) {
    edit.number = deferred_.size();
    deferred_.push_back(std::move(edit));
  }
  [[nodiscard]] size_t deferred() const { return deferred_.size(); }
  void settle() {
    std::ranges::sort(deferred_, [](const auto& left, const auto& right) {
      if (left.edit.id < right.edit.id) return true;
      return !(right.edit.id < left.edit.id) && left.number < right.number;
    });
    const bool is_new = tree_.empty();
    for (const auto& [edit, record, number] : deferred_) {
      const bool is_above_all = tree_.empty() || tree_.rbegin()->id < edit.id;
      if (is_new && is_above_all && edit.kind == IdEdit<Id>::Kind::put) {
        const std::unique_lock lock(mutex_);
        tree_.insert(tree_.end(), Entry{edit.id, record});
      } else {
        make_edit(*this, edit, record);
      }
    }
    deferred_ = std::vector<DeferredEdit<Id>>();  // `= {}` would keep its memory.
    publish_size();
  }

  [[nodiscard]] std::optional<Lsn> find(const Id& id) const {
    const std::shared_lock lock(mutex_);
    return find_locked(id);
  }
  /// The same for many. Changes wait until it is through.
  void find_many(std::span<const Id> ids, std::span<std::optional<Lsn>> out) const {
    const std::shared_lock lock(mutex_);
    for (size_t i = 0; i < ids.size(); ++i) out[i] = find_locked(ids[i]);
  }
  void prefetch(const Id&) const {}
  void find_all(const Id& id, std::vector<Lsn>& out) const {
    const std::shared_lock lock(mutex_);
    for (auto entry = tree_.lower_bound(id); entry != tree_.end() && entry->id == id; ++entry) {
      out.push_back(entry->lsn);
    }
  }
  /// `visit(id, lsn)` for each entry, in the order of ids and then of the log. Changes wait until
  /// it is through.
  template <class Visit>
  void visit(const Visit& visit) const {
    const std::shared_lock lock(mutex_);
    for (const Entry& entry : tree_) visit(entry.id, entry.lsn);
  }
  /// The same from `from` on, as long as `visit` returns true.
  template <class Visit>
  void visit_from(const Id& from, const Visit& visit) const {
    const std::shared_lock lock(mutex_);
    for (auto entry = tree_.lower_bound(from); entry != tree_.end(); ++entry) {
      if (!visit(entry->id, entry->lsn)) return;
    }
  }

  [[nodiscard]] uint64_t size() const { return entries_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t hash_seed() const { return 0; }
  /// Whether a record at `lsn` is in a dump already that was loaded, as far as this id goes.
  [[nodiscard]] bool has_taken_in(const Id& id, Lsn lsn) const {
    for (const LoadedPart& part : loaded_) {
      if (!part.last || !(*part.last < id)) return lsn < part.position;
    }
    return false;
  }

  void clear(uint64_t) {
    const std::unique_lock lock(mutex_);
    tree_.clear();
    deferred_ = std::vector<DeferredEdit<Id>>();
    loaded_.clear();
    swept_to_.reset();
    publish_size();
  }
  void sweep_some(Lsn first) {
    const std::unique_lock lock(mutex_);
    auto entry = swept_to_ ? tree_.lower_bound(*swept_to_) : tree_.begin();
    for (size_t seen = 0; seen < kPartEntries && entry != tree_.end(); ++seen) {
      entry = entry->lsn < first ? tree_.erase(entry) : std::next(entry);
    }
    swept_to_ = entry == tree_.end() ? std::nullopt : std::optional(entry->id);
    publish_size();
  }

  void begin_dump() {
    dumped_to_.reset();
    is_dumped_ = false;
  }
  /// Nobody else changes it, so that no lock is needed to look. A part says first whether it is the
  /// last one, and ends with an id of which nothing is left over.
  [[nodiscard]] bool dump_next(Lsn first, ContentsPart& out) {
    if (is_dumped_) return false;
    const size_t begin = out.bytes.size();
    out.bytes.push_back(std::byte{0});
    auto entry = dumped_to_ ? tree_.upper_bound(*dumped_to_) : tree_.begin();
    for (; entry != tree_.end(); ++entry) {
      if (entry->lsn < first) continue;
      if (out.entries >= kPartEntries && *dumped_to_ != entry->id) break;
      IdCodec<Id>::append(entry->id, out.bytes);
      IdCodec<uint64_t>::append(entry->lsn.value(), out.bytes);
      if (!dumped_to_ || *dumped_to_ != entry->id) dumped_to_ = entry->id;
      ++out.entries;
    }
    is_dumped_ = entry == tree_.end();
    out.bytes[begin] = std::byte{is_dumped_};
    return true;
  }
  [[nodiscard]] bool load_next(std::span<const std::byte> bytes, uint64_t entries, Lsn position) {
    const std::unique_lock lock(mutex_);
    if (bytes.empty() || (!loaded_.empty() && !loaded_.back().last)) return false;
    const bool is_last = bytes.front() != std::byte{0};
    bytes = bytes.subspan(1);
    for (uint64_t i = 0; i < entries; ++i) {
      auto id = IdCodec<Id>::take(bytes);
      const auto lsn = IdCodec<uint64_t>::take(bytes);
      if (!id || !lsn) return false;
      Entry entry{std::move(*id), Lsn(*lsn)};
      // In order, so that each one goes to the end without a search.
      if (!tree_.empty() && !Less{}(*tree_.rbegin(), entry)) return false;
      tree_.insert(tree_.end(), std::move(entry));
    }
    const bool has_no_end = is_last || tree_.empty();
    loaded_.push_back({.last = has_no_end ? std::nullopt : std::optional(tree_.rbegin()->id),
                       .position = position});
    publish_size();
    return bytes.empty() && (is_last || entries > 0);
  }

 private:
  static constexpr size_t kPartEntries = 64 << 10;

  struct Entry {
    Id id;
    mutable Lsn lsn;  // of `last` it is not what entries are ordered by
  };
  struct Less {
    using is_transparent = void;
    bool operator()(const Entry& left, const Entry& right) const {
      if constexpr (kValues == IndexValues::all) {
        if (!(left.id < right.id) && !(right.id < left.id)) return left.lsn < right.lsn;
      }
      return left.id < right.id;
    }
    bool operator()(const Entry& left, const Id& right) const { return left.id < right; }
    bool operator()(const Id& left, const Entry& right) const { return left < right.id; }
  };
  /// What was loaded up to the id `last`, or to the end.
  struct LoadedPart {
    std::optional<Id> last;
    Lsn position;
  };

  [[nodiscard]] std::optional<Lsn> find_locked(const Id& id) const {
    if constexpr (kValues == IndexValues::last) {
      const auto entry = tree_.lower_bound(id);
      if (entry == tree_.end() || entry->id != id) return std::nullopt;
      return entry->lsn;
    } else {
      auto entry = tree_.upper_bound(id);
      if (entry == tree_.begin() || (--entry)->id != id) return std::nullopt;
      return entry->lsn;
    }
  }
  void publish_size() { entries_.store(tree_.size(), std::memory_order_relaxed); }

  mutable std::shared_mutex mutex_;
  absl::btree_set<Entry, Less> tree_;
  std::vector<DeferredEdit<Id>> deferred_;
  std::vector<LoadedPart> loaded_;
  std::optional<Id> swept_to_;
  std::optional<Id> dumped_to_;
  bool is_dumped_ = false;
  std::atomic<uint64_t> entries_ = 0;
};

}  // namespace writeahead::index::internal
