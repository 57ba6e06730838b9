// LsnQueue: ascending Lsns in little memory, taken out in front and put in behind.
//
// They are kept as differences, in blocks of a few hundred: two bytes for each, as a rule. A block
// that nobody asked for may lie in a spill file instead. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "spill_file.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead::index::internal {

class LsnQueue {
 public:
  [[nodiscard]] bool is_empty() const { return count_ == 0; }
  [[nodiscard]] uint64_t size() const { return count_; }
  /// The first one; the queue is not empty.
  [[nodiscard]] Lsn front() const { return front_; }
  [[nodiscard]] Lsn back() const { return blocks_.back().last; }
  /// Memory of its blocks.
  [[nodiscard]] uint64_t heap_bytes() const { return heap_bytes_; }

  /// Puts in one that is above all others; one that is not is left out, for it is there already.
  /// All or nothing, should memory run out.
  void push(Lsn lsn);
  /// Has memory for the next one: then its push() does not throw.
  void make_room();
  /// Takes out all below `lsn`. An error is of the spill file; then nothing changed.
  [[nodiscard]] Result<void> drop_below(Lsn lsn, const SpillFile* spill);

  /// Takes out all from `lsn` on.
  [[nodiscard]] Result<void> drop_from(Lsn lsn, const SpillFile* spill);

  /// Adds to `out` up to `most` of them, from the first one that is not below `from`.
  [[nodiscard]] Result<void> copy_from(Lsn from, size_t most, const SpillFile* spill,
                                       std::vector<Lsn>& out) const;
  /// How many are below `lsn`.
  [[nodiscard]] Result<uint64_t> rank(Lsn lsn, const SpillFile* spill) const;
  /// Adds to `out` up to `most` of them, from the one on with so many before it.
  [[nodiscard]] Result<void> copy_range(uint64_t rank, size_t most, const SpillFile* spill,
                                        std::vector<Lsn>& out) const;
  /// What is to be given to drop_below(), so that the first `count` of them are taken out.
  [[nodiscard]] Result<Lsn> border_behind(uint64_t count, const SpillFile* spill) const;
  /// Moves all blocks but the last to the file. Returns how much memory that gave back.
  [[nodiscard]] Result<uint64_t> spill(SpillFile& file);

 private:
  struct Block {
    Lsn first;
    Lsn last;
    std::vector<std::byte> differences;  // between each and the one before; empty if spilled
    SpilledBytes spilled;
    uint32_t count = 1;
  };

  /// `visit(lsn)` for each of a block, as long as it returns true.
  template <class Visit>
  [[nodiscard]] static Result<void> each(const Block& block, const SpillFile* spill,
                                         const Visit& visit);
  /// Whether the next one begins a block.
  [[nodiscard]] bool is_full() const;
  void add_bytes(Block& block, uint64_t difference);

  [[nodiscard]] std::span<const Block> blocks() const { return std::span(blocks_).subspan(head_); }
  void drop_block();

  std::vector<Block> blocks_;
  size_t head_ = 0;       // of the blocks that are left
  uint32_t skipped_ = 0;  // entries of the first block that were taken out
  Lsn front_;
  uint64_t count_ = 0;
  uint64_t heap_bytes_ = 0;
};

}  // namespace writeahead::index::internal
