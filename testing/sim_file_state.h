// SimFileState: one file of the simulated disk: three views of its bytes, and what is pending.
//
// durable: what the medium surely holds. device: what a direct read shows (durable, and writes in
// the device's volatile cache). cache: what a buffered read shows (and dirty pages, and bytes whose
// write-back failed). A piece is one sector of one write; the views are all pieces applied.
// Invariant: in each sector the failed pieces come before all others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cow.h"
#include "sim_image.h"
#include "writeahead/env.h"
#include "writeahead/testing/crash_plan.h"

namespace writeahead::testing::internal {

/// Where a piece or another change that is not durable stands.
enum class PendingState : uint8_t {
  dirty,   ///< In the page cache; the next sync writes it.
  device,  ///< In the device's volatile cache; the next sync flushes it.
  failed,  ///< Its sync or write failed: no sync writes it any more; it may be on the medium.
};

/// See the file's head.
class SimFileState {
 public:
  struct Piece {
    uint64_t order;  ///< When it was written, among all changes of the disk.
    uint64_t sector;
    PendingState state;
    Cow<std::vector<std::byte>> bytes;
  };
  struct SizeChange {
    uint64_t order;
    uint64_t bytes;
    bool is_failed;
  };
  /// Hands out the decision on the next undecided item.
  class Decisions {
   public:
    explicit Decisions(const CrashPlan& plan) noexcept : plan_(plan) {}
    bool next() noexcept {
      const size_t index = next_++;
      return index < plan_.kept.size() && plan_.kept[index] != 0;
    }
    [[nodiscard]] const CrashPlan& plan() const noexcept { return plan_; }

   private:
    const CrashPlan& plan_;
    size_t next_ = 0;
  };

  explicit SimFileState(size_t sector_bytes) noexcept : sector_bytes_(sector_bytes) {}

  /// A write that succeeded. Takes order numbers from `next_order`.
  void write(uint64_t& next_order, uint64_t offset, std::span<const std::byte> data, bool is_direct,
             WriteBarrier barrier);
  /// A write that failed: any part of it may have reached the medium.
  void fail_write(uint64_t& next_order, uint64_t offset, std::span<const std::byte> data,
                  bool is_direct);
  /// Reads through the cache up to the end of the file; returns how many bytes.
  size_t read(uint64_t offset, std::span<std::byte> out) const;
  /// Reads from the device. Dirty pages of the range are written to it first, as Linux does.
  size_t read_direct(uint64_t offset, std::span<std::byte> out);
  void sync();
  void fail_sync();

  /// Sets content and size, durable, with nothing pending.
  void replace(std::span<const std::byte> data);
  [[nodiscard]] uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] const SimImage& cache() const noexcept { return cache_; }

  [[nodiscard]] bool is_durable() const noexcept { return pieces_.empty() && sizes_.empty(); }
  [[nodiscard]] const std::vector<Piece>& pieces() const noexcept { return pieces_; }
  [[nodiscard]] const std::vector<SizeChange>& sizes() const noexcept { return sizes_; }
  [[nodiscard]] size_t sector_bytes() const noexcept { return sector_bytes_; }

  /// The file after a power cut. Takes a decision for each of pieces(), then for each of sizes().
  [[nodiscard]] SimFileState crashed(Decisions& decisions, uint64_t salt) const;

 private:
  struct SectorRange {
    uint64_t begin;
    uint64_t end;
    [[nodiscard]] bool contains(uint64_t sector) const { return begin <= sector && sector < end; }
  };

  [[nodiscard]] SectorRange sectors_of(uint64_t offset, size_t count) const noexcept;
  [[nodiscard]] size_t readable(uint64_t offset, size_t count) const noexcept;
  void flush_dirty(uint64_t offset, size_t count);
  void add_pieces(uint64_t& next_order, SectorRange range, PendingState state,
                  const SimImage& image);
  void make_durable(SectorRange range, uint64_t end);
  void show_durable_on_device(uint64_t sector);
  void settle_size(uint64_t bytes);
  [[nodiscard]] std::vector<std::byte> sector_of(const SimImage& image, uint64_t sector) const;

  size_t sector_bytes_;
  SimImage durable_;
  SimImage device_;
  SimImage cache_;
  uint64_t bytes_ = 0;
  uint64_t durable_bytes_ = 0;
  std::vector<Piece> pieces_;      // In the order of writing.
  std::vector<SizeChange> sizes_;  // In the order of writing.
};

}  // namespace writeahead::testing::internal
