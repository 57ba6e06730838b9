// ProducerBook: the last append of each producer that is remembered, as it stands now.
//
// It forgets the producer whose last append is oldest when there are too many. Everything that it
// knows can be read from the log: the table in a segment's first frame, and the records from there
// on. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>

#include "format/producer_table.h"
#include "writeahead/lsn.h"

namespace writeahead::internal {

class ProducerBook {
 public:
  /// The last append of that producer; null if none is known. Valid until the next change.
  [[nodiscard]] const ProducerEntry* find(uint64_t producer) const;
  /// Makes sure of the memory for note(). Throws std::bad_alloc.
  void reserve();
  /// Takes in an append that lies behind all others. Allocates nothing behind reserve().
  void note(const ProducerEntry& entry);

  /// At most so many producers from now on, one at least.
  void limit_to(uint64_t most);
  /// Forgets appends that begin below `lsn`.
  void forget_below(Lsn lsn);

  [[nodiscard]] bool is_empty() const { return entries_.empty(); }
  /// Behind the newest append; 0 if there is none.
  [[nodiscard]] Lsn end_lsn() const { return is_empty() ? Lsn{} : entries_.back().range.end_lsn; }
  /// Bytes of its table, and the table.
  [[nodiscard]] uint64_t table_bytes() const { return entries_.size() * kProducerEntryBytes; }
  void encode(std::span<std::byte> out) const;

 private:
  using Entries = std::list<ProducerEntry>;
  using Places = std::unordered_map<uint64_t, Entries::iterator>;
  void forget_oldest();

  Entries entries_;  // in the order of their addresses
  Places places_;
  Entries spare_;  // one entry, and its place, for the next producer that is new
  Places::node_type spare_place_;
  uint64_t most_ = kMostProducers;
};

}  // namespace writeahead::internal
