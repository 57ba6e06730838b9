// Batch: encodes records as they are added, up to what needs their address.
// It lies beside the code that completes them.
#include "writeahead/batch.h"

#include <algorithm>
#include <array>
#include <limits>

#include "commit/pending_append.h"
#include "format/bytes.h"
#include "format/checksum.h"
#include "format/record.h"

namespace writeahead {

void Batch::add(Payload payload, RecordOptions options) {
  const auto bytes = payload.bytes();
  if (bytes.size() > std::numeric_limits<uint32_t>::max()) {
    longest_ = std::max<uint64_t>(longest_, bytes.size());
    return;
  }
  internal::BatchAccess::add(*this, bytes, options.type, internal::payload_hash(bytes), {});
}

void Batch::clear() {
  bytes_.clear();
  records_.clear();
  longest_ = 0;
}

namespace internal {

uint64_t BatchAccess::payload_bytes(const Batch& batch) {
  uint64_t bytes = 0;
  for (const Batch::Record& record : batch.records_) bytes += record.length;
  return bytes;
}

void BatchAccess::add(Batch& batch, std::span<const std::byte> payload, uint16_t type,
                      uint64_t payload_hash, const Mark& mark) {
  auto& bytes = batch.bytes_;
  const size_t position = bytes.size();
  const size_t end = position + encoded_record_bytes(payload.size(), mark);
  // Room for both first, so that a failure to get it leaves the batch as it was.
  if (batch.records_.size() == batch.records_.capacity()) {
    batch.records_.reserve(2 * batch.records_.size() + 16);
  }
  if (bytes.capacity() < end) bytes.reserve(std::max(end, 2 * bytes.capacity()));
  // Not by a resize in front: zeros under a large payload would cost as much as the copy.
  if (!mark) {
    // Of a length that the compiler knows: many batches have no other records.
    std::array<std::byte, kRecordHeaderBytes> encoded{};
    encode_record_header({.length = static_cast<uint32_t>(payload.size()), .type = type}, encoded);
    bytes.insert(bytes.end(), encoded.begin(), encoded.end());
  } else {
    const RecordHead head = encode_record_head(payload.size(), type, mark);
    bytes.insert(bytes.end(), head.bytes.begin(), head.bytes.begin() + head.count);
  }
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  bytes.resize(end);
  batch.records_.push_back({.position = position,
                            .payload_hash = mark ? marked_hash(payload_hash, *mark) : payload_hash,
                            .length = payload.size(),
                            .type = type});
  batch.longest_ = std::max<uint64_t>(batch.longest_, payload.size());
}

void BatchAccess::add(Batch& batch, const Batch& other, const Mark& mark) {
  const size_t position = batch.bytes_.size();
  batch.records_.reserve(
      std::max(batch.records_.size() + other.records_.size(), 2 * batch.records_.size()));
  if (mark) {
    const size_t end = position + encoded_bytes(other, mark);
    if (batch.bytes_.capacity() < end) {
      batch.bytes_.reserve(std::max(end, 2 * batch.bytes_.capacity()));
    }
    for (const Batch::Record& record : other.records_) {
      add(batch, payload(other, record), record.type, record.payload_hash, mark);
    }
    return;
  }
  batch.bytes_.insert(batch.bytes_.end(), other.bytes_.begin(), other.bytes_.end());
  for (Batch::Record record : other.records_) {
    record.position += position;
    batch.records_.push_back(record);
  }
  batch.longest_ = std::max(batch.longest_, other.longest_);
}

}  // namespace internal
}  // namespace writeahead
