// DamagedSegment: a segment of which parts may not be readable.
//
// For salvage alone, where a block that cannot be read must not hide those that can. It reads as
// zeros, in which no frame verifies, and is remembered. Everywhere else a read error ends what is
// being done, and is never taken for an end.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "segment/segment_store.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// Not thread-safe.
class DamagedSegment final : public SegmentReader {
 public:
  explicit DamagedSegment(std::shared_ptr<SegmentReader> segment) : segment_(std::move(segment)) {}

  [[nodiscard]] uint64_t bytes() const override { return segment_->bytes(); }
  [[nodiscard]] uint64_t stored_bytes() const override { return segment_->stored_bytes(); }
  [[nodiscard]] const std::string& path() const override { return segment_->path(); }
  /// Fails only for a cause that is not the medium's.
  [[nodiscard]] Result<void> read(uint64_t offset, std::span<std::byte> out,
                                  ReadSource source) override;
  void allow_cache_below(uint64_t) override {}
  /// Does nothing: what is copied becomes durable where it is copied to.
  [[nodiscard]] Result<void> sync() override { return {}; }

  /// The first byte of [begin, end) that could not be read.
  [[nodiscard]] std::optional<uint64_t> first_unreadable(uint64_t begin, uint64_t end) const;

 private:
  std::shared_ptr<SegmentReader> segment_;
  std::set<uint64_t> unreadable_;  // offsets of blocks
};

/// Whether an error says that these bytes cannot be read from the medium; others, such as a want of
/// descriptors, say nothing about the bytes.
[[nodiscard]] bool is_unreadable(const Error& error);

}  // namespace writeahead::internal
