// Reading and writing a segment file.
// All writes of a segment go through write(), fill_slice() and settle(); nothing else changes its
// bytes.
#include "segment/file_segment.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/zeros.h"
#include "format/bytes.h"
#include "format/segment_header.h"

namespace writeahead::internal {
namespace {
constexpr uint64_t kSliceBytes = 1ULL << 20;
}

FileSegment::FileSegment(std::unique_ptr<BlockFile> file, std::string path, FileInfo info,
                         std::shared_ptr<const WriteManner> manner, uint64_t end)
    : file_(std::move(file)),
      path_(std::move(path)),
      manner_(std::move(manner)),
      is_shared_(info.links != 1),
      bytes_(info.bytes),
      filled_(info.bytes),
      end_(end),
      // Once a frame is durable nothing may fail any more, so a writer has this memory before.
      tail_(end == 0 ? AlignedBuffer() : AlignedBuffer(kBlockBytes)) {}

Result<void> FileSegment::load_tail() {
  AlignedBuffer block(kBlockBytes);
  const uint64_t offset = round_down(end_, kBlockBytes);
  std::ranges::fill(block.span(), std::byte{0});
  if (end_ != offset) {
    auto read = read_file(offset, block.span().first(end_ - offset), ReadSource::device);
    if (!read) return read;
  }
  keep_tail(offset, end_, block.span());
  return {};
}

Result<uint64_t> FileSegment::fill_slice(uint64_t bytes, uint64_t slice) {
  if (filled_ >= bytes) return filled_;
  const uint64_t count = std::min({slice, bytes - filled_, uint64_t{kMostZeros}});
  if (auto written = file_->fill_blocks(filled_, zeros(count)); !written) {
    return std::unexpected(
        shortage_error("prepare segment", written.error(), {.path = path_, .offset = filled_}));
  }
  filled_ += count;
  return filled_;
}

void FileSegment::allow_cache_below(uint64_t offset) {
  uint64_t limit = cache_limit_.load();
  while (limit < offset && !cache_limit_.compare_exchange_weak(limit, offset)) {
  }
}

Result<void> FileSegment::read(uint64_t offset, std::span<std::byte> out, ReadSource source) {
  if (source == ReadSource::device) return read_file(offset, out, source);
  if (shown_ && take_shown(offset, out)) return {};
  {
    MutexLock lock(mutex_);
    const uint64_t end = offset + out.size();
    if (end > tail_offset_) {
      // The part in the tail block comes from memory, whatever is being written there just now.
      const uint64_t begin = std::max(offset, tail_offset_);
      const auto tail = tail_.span().subspan(begin - tail_offset_);
      if (end - begin <= tail.size()) {
        copy_bytes(tail.first(end - begin), out.subspan(begin - offset));
        out = out.first(begin - offset);
      }
    }
  }
  return out.empty() ? Result<void>{} : read_file(offset, out, source);
}

/// Takes from the end of `out` what the writer shows of it, and makes it shorter by that; true if
/// nothing is left. Below the limit of the cache nothing has to be shown.
bool FileSegment::take_shown(uint64_t offset, std::span<std::byte>& out) const {
  if (shown_->read(offset, out)) return true;
  const uint64_t limit = cache_limit_.load();
  if (limit <= offset || limit - offset >= out.size()) return false;
  const size_t cached = limit - offset;
  if (shown_->read(limit, out.subspan(cached))) out = out.first(cached);
  return false;
}

Result<void> FileSegment::read_file(uint64_t offset, std::span<std::byte> out, ReadSource source) {
  const uint64_t cache_limit = source == ReadSource::device ? 0 : cache_limit_.load();
  const uint64_t cached =
      cache_limit > offset ? std::min<uint64_t>(out.size(), cache_limit - offset) : 0;
  SystemResult<size_t> count = 0;
  if (cached > 0) count = file_->read_cached(offset, out.first(cached));
  if (count && *count == cached && cached < out.size()) {
    count = file_->read_device(offset + cached, out.subspan(cached));
    if (count) *count += cached;
  }
  if (!count) {
    return std::unexpected(
        io_error("read segment", count.error(), {.path = path_, .offset = offset}));
  }
  if (*count != out.size()) {
    return std::unexpected(make_error(ErrorCode::io, "read segment", "the file ends early",
                                      {.path = path_, .offset = offset + *count}));
  }
  return {};
}

Result<void> FileSegment::sync() {
  uint64_t written = 0;
  {
    MutexLock lock(mutex_);
    written = tail_end_;
  }
  if (auto synced = file_->sync(); !synced) {
    filled_ = bytes_;  // No later sync writes what this one lost.
    return std::unexpected(io_error("sync segment", synced.error(), {.path = path_}));
  }
  // CRASH: no header may state a size that is not durable; an opening would miss the rest.
  if (filled_ != bytes_) bytes_ = filled_;
  allow_cache_below(round_down(written, kBlockBytes));
  return {};
}

void FileSegment::place(uint64_t at, AppendBuffer& buffer) {
  // Writing anywhere but at the end would overwrite or leave a hole: a wrong write.
  WRITEAHEAD_CHECK(at == end_ && at >= kSegmentHeaderBytes);
  WRITEAHEAD_CHECK(!buffer.has_header() || at == kSegmentHeaderBytes);
  const uint64_t end = at + buffer.frame().size();
  // What an attempt to make it longer has left behind the end is nobody's from now on.
  if (buffer.has_header()) filled_ = bytes_;
  WRITEAHEAD_CHECK(end <= bytes_ && buffer.prefix().size() == at % kBlockBytes);
  if (!buffer.has_prefix()) {
    MutexLock lock(mutex_);
    copy_bytes(tail_.span().first(buffer.prefix().size()), buffer.prefix());
  }
  end_ = end;
}

Result<void> FileSegment::write(uint64_t at, AppendBuffer& buffer, WriteMode mode) {
  const uint64_t unit = manner_->unit;
  const auto all = buffer.has_header() ? buffer.header_and_blocks() : buffer.blocks();
  const auto blocks = buffer.has_header() ? all : buffer.blocks_in(unit);
  const uint64_t offset = buffer.has_header() ? 0 : round_down(at, unit);
  // CRASH: any part of these blocks may be there afterwards, in any order. The bytes before `at`
  // are written as they already stand, if there are any in this unit.
  SystemResult<void> written{};
  if (mode == WriteMode::barrier) {
    written = file_->write_durable(offset, blocks, manner_->method);
  } else {
    written =
        unit < kBlockBytes ? file_->write_blocks(offset, blocks) : file_->write(offset, blocks);
    if (written && mode == WriteMode::synced) written = file_->sync();
  }
  if (!written) {
    return std::unexpected(
        io_error("write segment", written.error(), {.path = path_, .offset = at}));
  }
  // Not before: after a failed write the block of the durable end is known from memory alone.
  const uint64_t end = at + buffer.frame().size();
  keep_tail(at, end, all.last(kBlockBytes));
  if (mode != WriteMode::cached) allow_cache_below(round_down(end, kBlockBytes));
  return {};
}

/// After a write from `begin` to `end`, whose last block is given.
void FileSegment::keep_tail(uint64_t begin, uint64_t end, std::span<const std::byte> last_block) {
  MutexLock lock(mutex_);
  // Of two writes that overlapped the later one may have returned first.
  if (end < tail_end_) return;
  const uint64_t offset = round_down(end, kBlockBytes);
  if (begin == tail_end_ && begin > offset) {
    // What stands before it in the block is there already.
    const auto added = last_block.first(end - offset).subspan(begin - offset);
    copy_bytes(added, tail_.span().subspan(begin - offset));
  } else if (end != offset) {
    // Behind an end on a block boundary is an empty block, which no read asks for.
    copy_bytes(last_block, tail_.span());
  }
  tail_end_ = end;
  tail_offset_ = offset;
}

/// Writes again what the device has there; through the page cache, if there is no other way.
SystemResult<void> FileSegment::rewrite(uint64_t begin, uint64_t end) {
  if (begin >= end) return {};
  AlignedBuffer slice(std::min(kSliceBytes, end - begin));
  for (uint64_t offset = begin; offset < end; offset += kSliceBytes) {
    const auto bytes = slice.span().first(std::min(kSliceBytes, end - offset));
    auto count = file_->read_device(offset, bytes);
    if (!count) return std::unexpected(count.error());
    auto written = file_->write_blocks(offset, bytes.first(*count));
    if (!written) return written;
  }
  return {};
}

Result<void> FileSegment::settle(uint64_t proven, uint64_t end, uint64_t cut_end) {
  // One whole block behind the end is written in any case: no file system may skip the flush that
  // makes the bytes before it, which were read from the device's volatile cache, durable. So is
  // the rest of the block of the end: a write that failed there may reach the medium at any later
  // time unless it is overwritten. Where nothing is cut they are written as they are, be they zeros
  // or of an earlier use of the file: a second recovery changes nothing.
  const uint64_t begin = file_->reads_device() ? round_down(end, manner_->unit) : end;
  const uint64_t file_end = round_down(bytes_, kBlockBytes);
  const uint64_t zeros_end =
      cut_end > end ? std::min(file_end, round_up(cut_end, kBlockBytes)) : begin;
  const uint64_t settled_end = std::min(file_end, round_up(end, kBlockBytes) + kBlockBytes);
  end_ = end;
  if (auto loaded = load_tail(); !loaded) return loaded;
  SystemResult<void> done{};
  // Without direct reads it is unknown which bytes the device has: a sync that failed earlier
  // leaves bytes in the cache that no later sync writes. Writing them again makes them dirty.
  if (!file_->reads_device()) done = rewrite(std::min(proven, end), end);
  // CRASH: recovery finds the same frames, and what is left of the tail, and cuts it again.
  if (done) done = write_zeros(begin, zeros_end);
  if (done) done = rewrite(zeros_end, settled_end);
  if (done) done = file_->sync();
  if (!done) {
    return std::unexpected(
        io_error("repair segment", done.error(), {.path = path_, .offset = end}));
  }
  return {};
}

/// Zeros from end_ on. Past the page cache it has to be whole units; what stands before end_ in the
/// first of them is what the device had, which the cache may not show.
SystemResult<void> FileSegment::write_zeros(uint64_t begin, uint64_t zeros_end) {
  if (begin >= zeros_end) return {};
  AlignedBuffer slice(std::min(kSliceBytes, zeros_end - begin));
  std::ranges::fill(slice.span(), std::byte{0});
  if (begin < end_) {
    MutexLock lock(mutex_);
    copy_bytes(tail_.span().subspan(begin % kBlockBytes, end_ - begin), slice.span());
  }
  SystemResult<void> done{};
  for (uint64_t offset = begin; done && offset < zeros_end; offset += kSliceBytes) {
    const auto bytes = slice.span().first(std::min(kSliceBytes, zeros_end - offset));
    done = file_->write_blocks(offset, bytes);
    if (offset == begin) std::ranges::fill(bytes.first(end_ - begin), std::byte{0});
  }
  return done;
}

}  // namespace writeahead::internal
