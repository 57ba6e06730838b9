// HashedEntries: ids in hash maps, one for each of 64 parts of the hashes.
//
// Parts keep everything short that has to look at many entries: a growing map, a dump, a sweep, and
// the time for which readers wait for it. One thread changes it, beside any number that look.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "writeahead/index/detail/index_contents.h"
#include "writeahead/index/detail/make_edit.h"
#include "writeahead/index/detail/part_lock.h"
#include "writeahead/index/id_codec.h"
#include "writeahead/index/index_options.h"
#include "writeahead/lsn.h"

namespace writeahead::index::internal {

template <IndexId Id, IndexValues kValues>
class HashedEntries {
 public:
  void put(const Id& id, Lsn lsn) {
    Part& part = part_of(id);
    const std::unique_lock lock(part.mutex);
    const auto [entry, is_new] = part.map.try_emplace(id);
    if constexpr (kValues == IndexValues::last) {
      entry->second = lsn;
      count(is_new ? 1 : 0);
    } else {
      // Again, of a record whose taking in was interrupted.
      if (!entry->second.empty() && entry->second.back() >= lsn) return;
      entry->second.push_back(lsn);
      count(1);
    }
  }
  void erase(const Id& id) {
    Part& part = part_of(id);
    const std::unique_lock lock(part.mutex);
    const auto entry = part.map.find(id);
    if (entry == part.map.end()) return;
    count(-static_cast<int64_t>(values_of(entry->second).size()));
    part.map.erase(entry);
  }
  /// That one address of it.
  void erase(const Id& id, Lsn lsn) {
    Part& part = part_of(id);
    const std::unique_lock lock(part.mutex);
    const auto entry = part.map.find(id);
    if (entry != part.map.end()) erase_where(part.map, entry, [&](Lsn at) { return at == lsn; });
  }

  /// An edit that settle() is to make. Part by part, each of which is small enough for the
  /// processor's cache.
  void defer(DeferredEdit<Id> edit) {
    deferred_[IdCodec<Id>::hash(edit.edit.id, seed_) >> kPartShift].push_back(std::move(edit));
    ++deferred_edits_;
  }
  [[nodiscard]] size_t deferred() const { return deferred_edits_; }
  void settle() {
    for (auto& edits : deferred_) {
      constexpr size_t kAhead = 16;
      for (size_t i = 0; i < edits.size(); ++i) {
        if (i + kAhead < edits.size()) prefetch(edits[i + kAhead].edit.id);
        make_edit(*this, edits[i].edit, edits[i].record);
      }
      edits = std::vector<DeferredEdit<Id>>();  // `= {}` would keep its memory.
    }
    deferred_edits_ = 0;
  }

  [[nodiscard]] std::optional<Lsn> find(const Id& id) const {
    const uint64_t hash = IdCodec<Id>::hash(id, seed_);
    const Part& part = parts_[hash >> kPartShift];
    const std::shared_lock lock(part.mutex);
    part.map.prefetch(id);  // Both of its places at once, of which each is a wait.
    return find_in(part, id, hash);
  }
  /// The same for many, which wait together. Changes wait until it is through.
  void find_many(std::span<const Id> ids, std::span<std::optional<Lsn>> out) const {
    std::array<std::shared_lock<PartLock>, kParts> locks;
    for (size_t i = 0; i < kParts; ++i) locks[i] = std::shared_lock(parts_[i].mutex);
    constexpr size_t kAhead = 32;
    for (size_t i = 0; i < ids.size() + kAhead; ++i) {
      if (i < ids.size()) prefetch(ids[i]);
      if (i < kAhead) continue;
      const Id& id = ids[i - kAhead];
      const uint64_t hash = IdCodec<Id>::hash(id, seed_);
      out[i - kAhead] = find_in(parts_[hash >> kPartShift], id, hash);
    }
  }
  /// Begins to fetch what an edit of `id` will look at. For the thread that makes them.
  void prefetch(const Id& id) const { part_of(id).map.prefetch(id); }
  void find_all(const Id& id, std::vector<Lsn>& out) const {
    const Part& part = part_of(id);
    const std::shared_lock lock(part.mutex);
    const auto entry = part.map.find(id);
    if (entry == part.map.end()) return;
    const auto values = values_of(entry->second);
    out.assign(values.begin(), values.end());
  }
  /// `visit(id, lsn)` for each entry, in no order. Changes of a part wait until it is through.
  template <class Visit>
  void visit(const Visit& visit) const {
    for (const Part& part : parts_) {
      const std::shared_lock lock(part.mutex);
      for (const auto& [id, addresses] : part.map) {
        for (const Lsn lsn : values_of(addresses)) visit(id, lsn);
      }
    }
  }

  [[nodiscard]] uint64_t size() const { return entries_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t hash_seed() const { return seed_; }
  /// Whether a record at `lsn` is in a dump already that was loaded, as far as this id goes.
  [[nodiscard]] bool has_taken_in(const Id& id, Lsn lsn) const {
    return lsn < part_of(id).loaded_position;
  }

  /// No reader may look meanwhile if the seed is another one.
  void clear(uint64_t hash_seed) {
    if (seed_ != hash_seed) seed_ = hash_seed;
    for (Part& part : parts_) {
      const std::unique_lock lock(part.mutex);
      part.map = Map(0, Hasher{hash_seed});
      part.loaded_position = Lsn();
    }
    for (auto& edits : deferred_) edits = std::vector<DeferredEdit<Id>>();
    deferred_edits_ = 0;
    entries_.store(0, std::memory_order_relaxed);
    loaded_parts_ = 0;
  }
  void sweep_some(Lsn first) {
    Part& part = parts_[swept_parts_++ % kParts];
    const std::unique_lock lock(part.mutex);
    for (auto next = part.map.begin(); next != part.map.end();) {
      const auto entry = next++;
      erase_where(part.map, entry, [&](Lsn at) { return at < first; });
    }
  }

  void begin_dump() { dumped_parts_ = 0; }
  /// Nobody else changes it, so that no lock is needed to look.
  [[nodiscard]] bool dump_next(Lsn first, ContentsPart& out) {
    if (dumped_parts_ == kParts) return false;
    for (const auto& [id, addresses] : parts_[dumped_parts_++].map) {
      for (const Lsn lsn : values_of(addresses)) {
        if (lsn < first) continue;
        IdCodec<Id>::append(id, out.bytes);
        IdCodec<uint64_t>::append(lsn.value(), out.bytes);
        ++out.entries;
      }
    }
    return true;
  }
  [[nodiscard]] bool load_next(std::span<const std::byte> bytes, uint64_t entries, Lsn position) {
    if (loaded_parts_ == kParts) return false;
    Part& part = parts_[loaded_parts_++];
    const std::unique_lock lock(part.mutex);
    part.loaded_position = position;
    // No count is believed that the bytes do not have.
    part.map.reserve(std::min<uint64_t>(entries, bytes.size() / sizeof(uint64_t)));
    for (uint64_t i = 0; i < entries; ++i) {
      auto id = IdCodec<Id>::take(bytes);
      const auto lsn = IdCodec<uint64_t>::take(bytes);
      if (!id || !lsn || &part_of(*id) != &part) return false;
      Addresses& addresses = part.map.try_emplace(std::move(*id)).first->second;
      if constexpr (kValues == IndexValues::last) {
        addresses = Lsn(*lsn);
      } else {
        addresses.push_back(Lsn(*lsn));
      }
    }
    count(static_cast<int64_t>(entries));
    return bytes.empty();
  }

 private:
  static constexpr size_t kParts = 64;
  static constexpr int kPartShift = 58;  // The map uses the low bits of a hash.

  /// Of `all` few ids have more than two.
  using Addresses =
      std::conditional_t<kValues == IndexValues::last, Lsn, absl::InlinedVector<Lsn, 2>>;
  struct Hasher {
    uint64_t seed = 0;
    size_t operator()(const Id& id) const { return IdCodec<Id>::hash(id, seed); }
  };
  using Map = absl::flat_hash_map<Id, Addresses, Hasher, std::equal_to<Id>>;
  struct alignas(64) Part {
    mutable PartLock mutex;
    Map map;
    Lsn loaded_position;
  };

  static std::span<const Lsn> values_of(const Lsn& lsn) { return {&lsn, 1}; }
  static std::span<const Lsn> values_of(const absl::InlinedVector<Lsn, 2>& lsns) { return lsns; }

  Part& part_of(const Id& id) { return parts_[IdCodec<Id>::hash(id, seed_) >> kPartShift]; }
  const Part& part_of(const Id& id) const {
    return parts_[IdCodec<Id>::hash(id, seed_) >> kPartShift];
  }
  static std::optional<Lsn> find_in(const Part& part, const Id& id, uint64_t hash) {
    const auto entry = part.map.find(id, hash);
    if (entry == part.map.end()) return std::nullopt;
    return values_of(entry->second).back();
  }
  void count(int64_t change) {
    entries_.fetch_add(static_cast<uint64_t>(change), std::memory_order_relaxed);
  }
  template <class Predicate>
  void erase_where(Map& map, typename Map::iterator entry, const Predicate& is_out) {
    if constexpr (kValues == IndexValues::last) {
      if (!is_out(entry->second)) return;
      map.erase(entry);
      count(-1);
    } else {
      auto& lsns = entry->second;
      const auto rest = std::remove_if(lsns.begin(), lsns.end(), is_out);
      count(-static_cast<int64_t>(lsns.end() - rest));
      lsns.erase(rest, lsns.end());
      if (lsns.empty()) map.erase(entry);
    }
  }

  uint64_t seed_ = 0;
  std::array<Part, kParts> parts_;
  std::atomic<uint64_t> entries_ = 0;
  std::array<std::vector<DeferredEdit<Id>>, kParts> deferred_;
  size_t deferred_edits_ = 0;
  size_t swept_parts_ = 0;
  size_t dumped_parts_ = 0;
  size_t loaded_parts_ = 0;
};

}  // namespace writeahead::index::internal
