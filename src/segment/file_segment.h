// FileSegment: a segment that is a file.
//
// The page of the durable end must not be touched through the page cache while the segment is being
// written past it: a page that somebody else brought in can plant an error for the writer's next
// sync. So a writer keeps its last, partly filled block in memory and serves reads of it from
// there, and a reader of somebody else's unsealed segment reads past the cache.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/mutex.h"
#include "env/block_file.h"
#include "root/control.h"
#include "segment/segment_store.h"

namespace writeahead::internal {

/// How the segments of a store are written: settled when the store is claimed, which may be after a
/// segment was opened, and the same from then on.
struct WriteManner {
  SyncMethod method = SyncMethod::automatic;
  /// Writes begin at its multiples: kBlockBytes, or less where sectors can be written alone. Then
  /// nothing goes through the page cache, which knows of no sectors.
  uint64_t unit = kBlockBytes;
};

class FileSegment final : public SegmentWriter {
 public:
  /// `file` has a shared lock. `end` is where the next append goes; 0 for a segment that is only
  /// read.
  FileSegment(std::unique_ptr<BlockFile> file, std::string path, FileInfo info,
              std::shared_ptr<const WriteManner> manner, uint64_t end);

  /// Reads the block that the next append will write again. Before the first append.
  [[nodiscard]] Result<void> load_tail();

  [[nodiscard]] uint64_t bytes() const override { return bytes_; }
  [[nodiscard]] const std::string& path() const override { return path_; }
  [[nodiscard]] Result<void> read(uint64_t offset, std::span<std::byte> out,
                                  ReadSource source) override;
  void allow_cache_below(uint64_t offset) override;
  [[nodiscard]] Result<void> sync() override;
  void place(uint64_t at, AppendBuffer& buffer) override;
  [[nodiscard]] Result<void> write(uint64_t at, AppendBuffer& buffer, WriteMode mode) override;
  [[nodiscard]] bool can_overlap() const override {
    return manner_->method == SyncMethod::direct_dsync;
  }
  [[nodiscard]] Result<uint64_t> fill_slice(uint64_t bytes, uint64_t slice) override;
  [[nodiscard]] Result<void> settle(uint64_t proven, uint64_t end, uint64_t cut_end) override;
  [[nodiscard]] bool is_shared() const override { return is_shared_; }
  [[nodiscard]] bool is_recycled() const override { return is_recycled_; }
  /// Before the first append.
  void set_recycled() { is_recycled_ = true; }
  /// Before the first read: what its writer shows of it need not be read.
  void set_shown(std::optional<ShownSegment> shown) { shown_ = std::move(shown); }

 private:
  [[nodiscard]] Result<void> read_file(uint64_t offset, std::span<std::byte> out,
                                       ReadSource source);
  [[nodiscard]] bool take_shown(uint64_t offset, std::span<std::byte>& out) const;
  [[nodiscard]] SystemResult<void> rewrite(uint64_t begin, uint64_t end);
  [[nodiscard]] SystemResult<void> write_zeros(uint64_t begin, uint64_t zeros_end)
      WRITEAHEAD_EXCLUDES(mutex_);
  void keep_tail(uint64_t begin, uint64_t end, std::span<const std::byte> last_block)
      WRITEAHEAD_EXCLUDES(mutex_);

  const std::unique_ptr<BlockFile> file_;
  const std::string path_;
  const std::shared_ptr<const WriteManner> manner_;
  const bool is_shared_;
  bool is_recycled_ = false;
  std::optional<ShownSegment> shown_;
  uint64_t bytes_;   // prepared, and durably so
  uint64_t filled_;  // with what fill_slice() added since the last sync()
  uint64_t end_;     // of what was placed; used by the one thread that writes
  std::atomic<uint64_t> cache_limit_ = 0;

  Mutex mutex_;
  AlignedBuffer tail_ WRITEAHEAD_GUARDED_BY(mutex_);  // the block that holds end_
  uint64_t tail_end_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;
  uint64_t tail_offset_ WRITEAHEAD_GUARDED_BY(mutex_) = UINT64_MAX;
};

}  // namespace writeahead::internal
