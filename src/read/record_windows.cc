// Loading windows, and reading from them.
// What is in one was not judged: each record is verified when it is read, as one from the file is.
#include "read/record_windows.h"

#include <span>
#include <utility>

#include "format/record.h"
#include "segment/frame_source.h"

namespace writeahead::internal {

RecordWindows::Memory RecordWindows::find(size_t index, bool& is_due) {
  MutexLock lock(mutex_);
  if (index >= windows_.size()) windows_.resize(index + 1);
  Window& window = windows_[index];
  is_due = window.memory == nullptr && ++window.reads == kReadsToEarn;
  if (is_due) window.reads = 0;
  return window.memory;
}

void RecordWindows::add(size_t index, Memory memory) {
  MutexLock lock(mutex_);
  // Somebody else may have been as fast.
  if (windows_[index].memory != nullptr) return;
  loaded_.push_back(index);
  windows_[index].memory = std::move(memory);
  if (loaded_.size() <= most_windows_) return;
  windows_[loaded_.front()].memory = nullptr;
  loaded_.pop_front();
}

std::optional<SingleRecord> RecordWindows::read(SegmentReader& reader, const SegmentView& segment,
                                                Lsn lsn) {
  const Lsn base = segment.header.base_lsn;
  const uint64_t offset = segment_offset(base, lsn);
  const size_t index = offset / kWindowBytes;
  const uint64_t begin = index * kWindowBytes;
  bool is_due = false;
  Memory memory = find(index, is_due);
  // One that reaches beyond what is durable would have to be read again.
  if (is_due && begin + kWindowBytes <= segment_offset(base, segment.end_lsn)) {
    Memory loaded = std::make_shared_for_overwrite<std::byte[]>(kWindowBytes);
    if (reader.read(begin, {loaded.get(), kWindowBytes}, ReadSource::any)) {
      memory = loaded;
      add(index, std::move(loaded));
    }
  }
  if (memory != nullptr) {
    const auto bytes = std::span<const std::byte>(memory.get(), kWindowBytes);
    const VerifiedRecord record =
        verify_record(bytes.subspan(offset - begin), lsn, segment.binding.segment_seed);
    if (record.encoded_bytes != 0) return SingleRecord{.record = record, .memory = memory};
  }
  // It may go on in the next window.
  return read_single_record(reader, segment, lsn);
}

}  // namespace writeahead::internal
