// Loading windows, and reading from them.
// What is in one was not judged: each record is verified when it is read, as one from the file is.
#include "read/record_windows.h"

#include <new>
#include <span>
#include <utility>

#include "format/record.h"
#include "segment/frame_source.h"

namespace writeahead::internal {

RecordWindows::Memory RecordWindows::find(size_t index) {
  MutexLock lock(mutex_);
  if (index >= windows_.size()) return nullptr;
  Window& window = windows_[index];
  window.was_used = window.memory != nullptr;
  return window.memory;
}

/// Whoever comes finds room where nobody looked for the longest time, or leaves it for now: loading
/// what is thrown away again at once would cost more than it gains.
bool RecordWindows::has_room() {
  if (loaded_.size() < most_windows_) return true;
  Window& oldest = windows_[loaded_.front()];
  if (std::exchange(oldest.was_used, false)) {
    loaded_.push_back(loaded_.front());
    loaded_.pop_front();
    return false;
  }
  oldest.memory = nullptr;
  loaded_.pop_front();
  return true;
}

bool RecordWindows::count_read(size_t index) {
  MutexLock lock(mutex_);
  if (index >= windows_.size()) windows_.resize(index + 1);
  Window& window = windows_[index];
  if (window.memory != nullptr || ++window.reads < kReadsToEarn) return false;
  window.reads = 0;
  return has_room();
}

void RecordWindows::load(SegmentReader& reader, size_t index) {
  Memory memory = std::make_shared_for_overwrite<std::byte[]>(kWindowBytes);
  if (!reader.read(index * kWindowBytes, {memory.get(), kWindowBytes}, ReadSource::any)) return;
  MutexLock lock(mutex_);
  // Somebody else may have been as fast.
  if (windows_[index].memory != nullptr) return;
  loaded_.push_back(index);
  windows_[index].memory = std::move(memory);
  windows_[index].was_used = false;
}

std::optional<SingleRecord> RecordWindows::read(SegmentReader& reader, const SegmentView& segment,
                                                Lsn lsn) {
  const Lsn base = segment.header.base_lsn;
  const uint64_t offset = segment_offset(base, lsn);
  const size_t index = offset / kWindowBytes;
  const uint64_t window_end = (index + 1) * kWindowBytes;
  if (const Memory memory = find(index)) {
    const auto bytes = std::span<const std::byte>(memory.get(), kWindowBytes);
    const VerifiedRecord record =
        verify_record(bytes.last(window_end - offset), lsn, segment.binding.segment_seed);
    if (record.encoded_bytes != 0) return SingleRecord{.record = record, .memory = memory};
  }
  auto single = read_single_record(reader, segment, lsn);
  // One that reaches into the next window is never served by this one, and a window that reaches
  // beyond what is durable would have to be read again.
  const bool is_inside = single && offset + single->record.encoded_bytes <= window_end &&
                         window_end <= segment_offset(base, segment.end_lsn);
  try {
    if (is_inside && count_read(index)) load(reader, index);
  } catch (const std::bad_alloc&) {
    return single;  // It is read again, then.
  }
  return single;
}

}  // namespace writeahead::internal
