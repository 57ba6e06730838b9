// What an appender does for itself, and its waiting.
// The payload is hashed here, by its own thread and outside of every lock.
#include "commit/pending_append.h"

#include "format/bytes.h"
#include "format/checksum.h"
#include "format/record.h"

namespace writeahead::internal {

PendingAppend::PendingAppend(std::span<const std::byte> payload, AppendOptions options)
    : payload_(payload),
      payload_hash_(internal::payload_hash(payload)),
      mark_(options.producer_number),
      type_(options.type),
      encoded_bytes_(encoded_record_bytes(payload.size(), mark_)),
      payload_bytes_(payload.size()),
      record_count_(1),
      durability_(options.durability) {
  if (mark_) payload_hash_ = marked_hash(payload_hash_, *mark_);
}

PendingAppend::PendingAppend(const Batch& batch, const BatchOptions& options)
    : mark_(options.producer_number), durability_(options.durability) {
  set_batch(batch, BatchAccess::payload_bytes(batch));
}

void PendingAppend::set_batch(const Batch& batch, uint64_t payload_bytes) {
  batch_ = &batch;
  payload_bytes_ = payload_bytes;
  encoded_bytes_ = BatchAccess::encoded_bytes(batch, mark_);
  record_count_ = static_cast<uint32_t>(batch.size());
}

void PendingAppend::copy_to(std::span<std::byte> out) const {
  if (batch_ == nullptr) {
    if (record_count_ != 0) encode_record(payload_, type_, mark_, out);
    return;
  }
  if (!mark_) return copy_bytes(BatchAccess::bytes(*batch_), out);
  for (const BatchAccess::Record& record : BatchAccess::records(*batch_)) {
    const uint64_t bytes = encoded_record_bytes(record.length, mark_);
    encode_record(BatchAccess::payload(*batch_, record), record.type, mark_, out.first(bytes));
    out = out.subspan(bytes);
  }
}

uint64_t PendingAppend::payload_hash(uint32_t index) const {
  if (batch_ == nullptr) return payload_hash_;
  const uint64_t hash = BatchAccess::records(*batch_)[index].payload_hash;
  return mark_ ? marked_hash(hash, *mark_) : hash;
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
