// The open handles of a table's segments: which are kept, and what is told of a segment that is
// gone. A handle keeps its segment from being recycled, so none outlives its segment's place in the
// table.
#include <utility>

#include "base/error.h"
#include "segment/segment_table.h"

namespace writeahead::internal {

/// Segments that wait for their seals are as many as are filled meanwhile: their handles must not
/// use up the descriptors of the process. A seal opens its segment anew where it has to.
void SegmentTable::keep_few_writers() {
  const uint64_t last = entries_.rbegin()->first;
  if (last <= kKeptWriters) return;
  const auto end = entries_.lower_bound(last - kKeptWriters);
  for (auto entry = entries_.lower_bound(first_writer_); entry != end; ++entry) {
    entry->second.writer.reset();
  }
  first_writer_ = last - kKeptWriters;
}

std::shared_ptr<SegmentWriter> SegmentTable::writer(uint64_t number) const {
  MutexLock lock(mutex_);
  const auto found = entries_.find(number);
  return found == entries_.end() ? nullptr : found->second.writer;
}

Error SegmentTable::gone(const SegmentStore& store, uint64_t number) const {
  MutexLock lock(mutex_);
  return say_gone(store, number);
}

Error SegmentTable::say_gone(const SegmentStore& store, uint64_t number) const {
  const bool is_below = number < first_.number;
  return is_below ? make_error(ErrorCode::trimmed, "read log", "the segment was trimmed meanwhile",
                               {.path = store.path()})
                  : make_error(ErrorCode::truncated, "read log",
                               "the segment was truncated meanwhile", {.path = store.path()});
}

/// The block of the end belongs to a writer: the active segment's next frame or the seal. Those
/// below are durable and full, so that nobody writes to them again.
void SegmentTable::allow_cache(SegmentReader& reader, const SegmentView& view) {
  reader.allow_cache_below(
      round_down(segment_offset(view.header.base_lsn, view.end_lsn), kBlockBytes));
}

Result<std::shared_ptr<SegmentReader>> SegmentTable::reader(SegmentStore& store, uint64_t number) {
  {
    MutexLock lock(mutex_);
    const auto found = entries_.find(number);
    if (found == entries_.end()) return std::unexpected(say_gone(store, number));
    Entry& entry = found->second;
    if (entry.writer != nullptr) return entry.writer;
    if (auto opened = entry.opened.lock()) {
      allow_cache(*opened, entry.view);
      return opened;
    }
  }
  auto opened = store.open_shown(number);
  MutexLock lock(mutex_);
  const auto found = entries_.find(number);
  // Its file may be gone, or be on its way to another use.
  if (found == entries_.end()) return std::unexpected(say_gone(store, number));
  if (!opened) return opened;
  allow_cache(**opened, found->second.view);
  found->second.opened = *opened;
  keep(*opened);
  return opened;
}

void SegmentTable::keep(std::shared_ptr<SegmentReader> reader) {
  recent_.push_back(std::move(reader));
  if (recent_.size() > kKeptReaders) recent_.pop_front();
}

}  // namespace writeahead::internal
