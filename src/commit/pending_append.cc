// What an appender does for itself, and its waiting.
// The payload is hashed here, by its own thread and outside of every lock.
#include "commit/pending_append.h"

#include <algorithm>

#include "format/checksum.h"
#include "format/record.h"

namespace writeahead::internal {

PendingAppend::PendingAppend(std::span<const std::byte> payload, uint16_t type)
    : payload_(payload),
      payload_hash_(internal::payload_hash(payload)),
      type_(type),
      encoded_bytes_(encoded_record_bytes(payload.size())),
      payload_bytes_(payload.size()),
      record_count_(1) {}

PendingAppend::PendingAppend(const Batch& batch)
    : batch_(&batch),
      encoded_bytes_(batch.encoded_bytes()),
      record_count_(static_cast<uint32_t>(batch.size())) {
  for (const auto& record : BatchAccess::records(batch)) payload_bytes_ += record.length;
}

void PendingAppend::copy_to(std::span<std::byte> out) const {
  if (batch_ != nullptr) {
    std::ranges::copy(BatchAccess::bytes(*batch_), out.begin());
    return;
  }
  const RecordHeader header{.length = static_cast<uint32_t>(payload_.size()), .type = type_};
  encode_record_header(header, out);
  auto rest = out.subspan(kRecordHeaderBytes);
  std::ranges::copy(payload_, rest.begin());
  std::ranges::fill(rest.subspan(payload_.size()), std::byte{0});
}

uint64_t PendingAppend::payload_hash(uint32_t index) const {
  return batch_ == nullptr ? payload_hash_ : BatchAccess::records(*batch_)[index].payload_hash;
}

PendingAppend::Signal PendingAppend::await() {
  signal_.wait(Signal::wait, std::memory_order_acquire);
  return signal_.load(std::memory_order_acquire);
}

void PendingAppend::signal(Signal signal) {
  std::atomic<Signal>& word = signal_;
  word.store(signal, std::memory_order_release);
  // From here on the object may be gone. notify_one() uses the address alone; a stray wake-up of
  // whatever lies there next is harmless, since every waiter looks again.
  word.notify_one();
}

}  // namespace writeahead::internal
