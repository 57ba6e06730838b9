// Showing bytes of a mapping, slice by slice.
// Nothing is looked at here that was not read in before.
#include "segment/mapped_segment.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "format/bytes.h"
#include "format/seal.h"

namespace writeahead::internal {
namespace {
constexpr uint64_t kReadInBytes = 256ULL << 10;
}

MappedSegment::MappedSegment(std::unique_ptr<File> file, std::unique_ptr<MappedRegion> region,
                             std::string path, const MappedRange& range)
    : file_(std::move(file)),
      region_(std::move(region)),
      path_(std::move(path)),
      range_(range),
      bytes_(region_->bytes()),
      is_read_in_((bytes_.size() + kReadInBytes - 1) / kReadInBytes) {}

Result<std::span<const std::byte>> MappedSegment::show(uint64_t offset, uint64_t count) {
  if (count == 0 || offset >= bytes_.size() || count > bytes_.size() - offset) {
    return std::span<const std::byte>{};
  }
  for (uint64_t slice = offset / kReadInBytes; slice * kReadInBytes < offset + count; ++slice) {
    if (is_read_in_[slice].load(std::memory_order_acquire) != 0) continue;
    const uint64_t begin = slice * kReadInBytes;
    const uint64_t slice_bytes = std::min(kReadInBytes, bytes_.size() - begin);
    if (auto populated = region_->populate(begin, slice_bytes); !populated) {
      return std::unexpected(
          io_error("read segment", populated.error(), {.path = path_, .offset = begin}));
    }
    is_read_in_[slice].store(1, std::memory_order_release);
  }
  return bytes_.subspan(offset, count);
}

void MappedSegment::prefetch(Lsn lsn) const {
  const RecordMap* const records = this->records();
  if (records == nullptr) return;
  // These lie far apart, and far from everything that was used last: waiting for one after the
  // other would cost more than all the rest. A small record may reach into a second line.
  constexpr uint64_t kLineBytes = 64;
  const uint64_t offset = lsn - range_.base_lsn;
  records->prefetch(offset);
  const std::byte* const record = bytes_.data() + kSegmentHeaderBytes + offset;
  __builtin_prefetch(record);
  __builtin_prefetch(record + kLineBytes);
}

Result<void> MappedSegment::read(uint64_t offset, std::span<std::byte> out, ReadSource) {
  auto shown = show(offset, out.size());
  if (!shown) return std::unexpected(shown.error());
  if (shown->size() != out.size()) {
    return std::unexpected(make_error(ErrorCode::io, "read segment", "the mapping ends early",
                                      {.path = path_, .offset = offset}));
  }
  copy_bytes(*shown, out);
  return {};
}

Result<void> MappedSegment::sync() {
  if (auto synced = file_->sync_data(); !synced) {
    return std::unexpected(io_error("sync segment", synced.error(), {.path = path_}));
  }
  return {};
}

bool MappedSegment::count_search() {
  // A search begins at an entry of the sparse index, on average half an interval away.
  constexpr uint64_t kSearchBytes = kIndexInterval / 2;
  const uint64_t before = searched_bytes_.fetch_add(kSearchBytes, std::memory_order_relaxed);
  return before < bytes_.size() && before + kSearchBytes >= bytes_.size();
}

void MappedSegment::set_records(std::unique_ptr<const RecordMap> records) {
  MutexLock lock(mutex_);
  // Readers may be looking at one that is there; it is never replaced.
  if (records_ != nullptr) return;
  records_ = std::move(records);
  published_.store(records_.get(), std::memory_order_release);
}

}  // namespace writeahead::internal
