// RadosSegment: a segment that is an object.
//
// An append is one change of the object, made whole or not at all, and durable once it is answered.
// So nothing is ever torn here, every level of durability is the highest, and the page cache has no
// part in it. The object is made by the first append; until then a standby is nothing but a number.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "segment/rados_store/object_log.h"
#include "segment/segment_store.h"

namespace writeahead::internal {

class RadosSegment final : public SegmentWriter {
 public:
  /// One that is there. `is_final` if nobody but this process can append to it.
  RadosSegment(std::shared_ptr<ObjectLog> log, uint64_t number, const SegmentObject& object,
               bool is_final);
  /// A standby.
  RadosSegment(std::shared_ptr<ObjectLog> log, uint64_t number);

  [[nodiscard]] uint64_t bytes() const override { return capacity_; }
  [[nodiscard]] uint64_t stored_bytes() const override { return length_.load(); }
  [[nodiscard]] const std::string& path() const override { return path_; }
  [[nodiscard]] Result<void> read(uint64_t offset, std::span<std::byte> out,
                                  ReadSource source) override;
  void allow_cache_below(uint64_t) override {}
  [[nodiscard]] Result<void> sync() override { return {}; }

  void place(uint64_t at, AppendBuffer& buffer) override;
  [[nodiscard]] Result<void> write(uint64_t at, AppendBuffer& buffer, WriteMode mode) override;
  /// The store takes one change of an object after the other.
  [[nodiscard]] bool can_overlap() const override { return false; }
  [[nodiscard]] Result<uint64_t> fill_slice(uint64_t bytes, uint64_t slice) override;
  [[nodiscard]] Result<void> settle(uint64_t proven, uint64_t end, uint64_t cut_end) override;
  [[nodiscard]] bool is_shared() const override { return false; }
  [[nodiscard]] bool is_recycled() const override { return false; }

 private:
  const std::shared_ptr<ObjectLog> log_;
  const uint64_t number_;
  const std::string path_;
  const bool is_final_;
  uint64_t capacity_ = 0;
  uint64_t placed_ = 0;               // end of what was placed; of the one thread that writes
  std::atomic<uint64_t> length_ = 0;  // of the object, as far as it is known
};

}  // namespace writeahead::internal
