// What an appender does for itself, and its waiting.
// The payload is hashed here, by its own thread and outside of every lock.
#include "commit/pending_append.h"

#include <algorithm>

#include "format/bytes.h"
#include "format/checksum.h"
#include "format/record.h"

namespace writeahead::internal {

PendingAppend::PendingAppend(std::span<const std::byte> payload, AppendOptions options)
    : payload_(payload),
      payload_hash_(internal::payload_hash(payload)),
      type_(options.type),
      encoded_bytes_(encoded_record_bytes(payload.size())),
      payload_bytes_(payload.size()),
      record_count_(1),
      durability_(options.durability) {}

PendingAppend::PendingAppend(const Batch& batch, Durability durability) : durability_(durability) {
  set_batch(batch, BatchAccess::payload_bytes(batch));
}

void PendingAppend::set_batch(const Batch& batch, uint64_t payload_bytes) {
  batch_ = &batch;
  payload_bytes_ = payload_bytes;
  encoded_bytes_ = batch.encoded_bytes();
  record_count_ = static_cast<uint32_t>(batch.size());
}

void PendingAppend::copy_to(std::span<std::byte> out) const {
  if (batch_ != nullptr) {
    copy_bytes(BatchAccess::bytes(*batch_), out);
    return;
  }
  if (record_count_ == 0) return;
  const RecordHeader header{.length = static_cast<uint32_t>(payload_.size()), .type = type_};
  encode_record_header(header, out);
  auto rest = out.subspan(kRecordHeaderBytes);
  copy_bytes(payload_, rest);
  std::ranges::fill(rest.subspan(payload_.size()), std::byte{0});
}

uint64_t PendingAppend::payload_hash(uint32_t index) const {
  return batch_ == nullptr ? payload_hash_ : BatchAccess::records(*batch_)[index].payload_hash;
}

PendingAppend::Signal PendingAppend::await() {
  signals_.wait();
  // Whoever is told to lead is told nothing else before it has tried.
  Signal lead = Signal::lead;
  if (signal_.compare_exchange_strong(lead, Signal::wait, std::memory_order_acquire)) {
    return Signal::lead;
  }
  return Signal::done;
}

void PendingAppend::signal(Signal signal) {
  signal_.store(signal, std::memory_order_release);
  signals_.post();  // From here on the object may be gone.
}

}  // namespace writeahead::internal
