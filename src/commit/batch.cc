// Batch: encodes records as they are added, up to what needs their address.
// It lies beside the code that completes them.
#include "writeahead/batch.h"

#include <algorithm>
#include <limits>

#include "format/checksum.h"
#include "format/record.h"

namespace writeahead {

void Batch::add(Payload payload, RecordOptions options) {
  using namespace internal;
  const auto bytes = payload.bytes();
  if (bytes.size() > std::numeric_limits<uint32_t>::max()) {
    longest_ = std::max<uint64_t>(longest_, bytes.size());
    return;
  }
  const size_t position = bytes_.size();
  // Room for both first, so that a failure to get it leaves the batch as it was.
  if (records_.size() == records_.capacity()) records_.reserve(2 * records_.size() + 16);
  bytes_.resize(position + encoded_record_bytes(bytes.size()));
  const auto record = std::span(bytes_).subspan(position);
  const RecordHeader header{.length = static_cast<uint32_t>(bytes.size()), .type = options.type};
  encode_record_header(header, record);
  std::ranges::copy(bytes, record.subspan(kRecordHeaderBytes).begin());
  records_.push_back({.position = position,
                      .payload_hash = payload_hash(bytes),
                      .length = bytes.size(),
                      .type = options.type});
  longest_ = std::max<uint64_t>(longest_, bytes.size());
}

void Batch::clear() {
  bytes_.clear();
  records_.clear();
  longest_ = 0;
}

}  // namespace writeahead
