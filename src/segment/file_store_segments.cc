// FileStore: the ways to open a segment.
// Whoever reads one holds a lock on it, so that nobody recycles it meanwhile.
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "format/segment_header.h"
#include "format/segment_name.h"
#include "segment/file_store.h"
#include "segment/mapped_segment.h"

namespace writeahead::internal {
namespace {

Result<FileInfo> regular_file(const SystemResult<FileInfo>& info, const std::string& path) {
  if (!info) return std::unexpected(io_error("stat segment", info.error(), {.path = path}));
  if (info->is_regular) return *info;
  return std::unexpected(
      make_error(ErrorCode::io, "open segment", "it is not a regular file", {.path = path}));
}

}  // namespace

std::string FileStore::segment_path(uint64_t number) const {
  return join_path(path_, segment_name(number));
}

std::string FileStore::segment_label(uint64_t number) const { return segment_name(number); }

Result<std::shared_ptr<FileSegment>> FileStore::open_segment(uint64_t number, OpenFlags flags,
                                                             uint64_t end) {
  const std::string name = segment_name(number);
  std::string path = join_path(path_, name);
  auto file = BlockFile::open(*directory_, name, flags);
  if (!file) return std::unexpected(io_error("open segment", file.error(), {.path = path}));
  auto info = regular_file((*file)->info(), path);
  if (!info) return std::unexpected(info.error());
  if (flags.write && !info->is_owned) {
    return std::unexpected(
        make_error(ErrorCode::io, "open segment", "it belongs to another user", {.path = path}));
  }
  if (auto held = hold_segment((*file)->file(), name); !held) {
    return std::unexpected(io_error("lock segment", held.error(), {.path = path}));
  }
  return std::make_shared<FileSegment>(std::move(*file), std::move(path), *info, manner_, end);
}

/// Keeps an open segment from being recycled, as long as it is open. It may have been recycled just
/// before, and be written now; then a page that we bring into the cache could plant an error for
/// the writer's next sync. But a file is renamed before the lock for that is given back: whoever
/// has the shared one and still finds the name has the segment that he looked for.
SystemResult<void> FileStore::hold_segment(File& file, std::string_view name) {
  // Refused, it is being recycled just now.
  if (auto locked = file.lock(LockKind::shared); !locked) return locked;
  auto again = directory_->open(name, {});
  return again ? SystemResult<void>{} : std::unexpected(again.error());
}

Result<std::shared_ptr<SegmentReader>> FileStore::open(uint64_t number) {
  return open_segment(number, {.random_access = true}, 0);
}

Result<std::shared_ptr<SegmentReader>> FileStore::open_shown(uint64_t number) {
  auto segment = open_segment(number, {.random_access = true}, 0);
  if (segment) (*segment)->set_shown(shown(number));
  return segment;
}

/// The lock comes first: whoever gets it before the header is read knows that nobody recycles the
/// file from then on, so that what the header says stays true and the bytes never change.
std::shared_ptr<MappedSegment> FileStore::map(const MappedRange& range) {
  const std::string name = segment_name(range.binding.number);
  auto file = directory_->open(name, {});
  if (!file || !hold_segment(**file, name)) return nullptr;
  const uint64_t end = kSegmentHeaderBytes + (range.end_lsn - range.base_lsn);
  const uint64_t mapped_bytes = round_up(end, kBlockBytes);
  const auto info = (*file)->info();
  if (!info || !info->is_regular || info->bytes < mapped_bytes) return nullptr;
  AlignedBuffer block(kSegmentHeaderBytes);
  const auto count = (*file)->read_at(0, block.span());
  if (!count || *count != kSegmentHeaderBytes) return nullptr;
  const auto decoded = decode_segment_header(block.span());
  if (decoded.state != HeaderState::valid || decoded.header.log_id != range.log_id ||
      decoded.header.number != range.binding.number || decoded.header.base_lsn != range.base_lsn) {
    return nullptr;
  }
  auto region = (*file)->map({.bytes = mapped_bytes});
  if (!region) return nullptr;
  return std::make_shared<MappedSegment>(std::move(*file), std::move(*region),
                                         join_path(path_, name), range);
}

/// One descriptor and one read for the owner: an opening makes these calls for every segment that
/// there is. Nobody recycles while it opens.
Result<uint64_t> FileStore::read_head(uint64_t number, std::span<std::byte> block) {
  const std::string name = segment_name(number);
  const auto failed = [&](std::string_view action, SystemError error) {
    return std::unexpected(io_error(action, error, {.path = segment_path(number)}));
  };
  auto file = directory_->open(name, {.random_access = true});
  if (!file) return failed("open segment", file.error());
  if (auto held = is_owner_ ? SystemResult<void>{} : hold_segment(**file, name); !held) {
    return failed("lock segment", held.error());
  }
  const auto info = (*file)->info();
  if (!info || !info->is_regular) {
    return std::unexpected(regular_file(info, segment_path(number)).error());
  }
  const auto bytes = block.first(std::min<uint64_t>(block.size(), info->bytes));
  size_t filled = 0;
  while (filled < bytes.size()) {
    auto count = (*file)->read_at(filled, bytes.subspan(filled));
    if (!count) return failed("read segment", count.error());
    if (*count == 0) break;
    filled += *count;
  }
  std::ranges::fill(block.subspan(filled), std::byte{0});  // What is missing is no header.
  return info->bytes;
}

}  // namespace writeahead::internal
