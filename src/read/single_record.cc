// Loading a record of which only the address is known.
// Its length is in its header, which is not verified yet when it is used.
#include "read/single_record.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>

#include "segment/frame_source.h"

namespace writeahead::internal {
namespace {

/// The bytes of a record, and what keeps them.
struct Loaded {
  std::shared_ptr<std::byte[]> memory;
  std::span<const std::byte> bytes;
};

std::optional<Loaded> load(SegmentReader& reader, uint64_t offset, uint64_t count) {
  Loaded loaded{.memory = std::make_shared_for_overwrite<std::byte[]>(count), .bytes = {}};
  if (!reader.read(offset, {loaded.memory.get(), count}, ReadSource::any)) return std::nullopt;
  loaded.bytes = {loaded.memory.get(), count};
  return loaded;
}

/// So many bytes first, which most small records do not exceed, and no more pages than the first;
/// a longer one is read again, whole.
std::optional<Loaded> load_record(SegmentReader& reader, uint64_t offset, uint64_t most) {
  constexpr uint64_t kFirstBytes = 512;
  const uint64_t page_rest = round_up(offset + kRecordHeaderBytes, kBlockBytes) - offset;
  auto loaded = load(reader, offset, std::min({kFirstBytes, page_rest, most}));
  if (!loaded || loaded->bytes.size() < kRecordHeaderBytes) return std::nullopt;
  const uint64_t encoded = encoded_record_bytes(decode_record_header(loaded->bytes).length);
  if (encoded <= loaded->bytes.size()) return loaded;
  // No length is believed that leads behind what is durable.
  return encoded <= most ? load(reader, offset, encoded) : std::nullopt;
}

}  // namespace

std::optional<SingleRecord> read_single_record(SegmentReader& reader, const SegmentView& segment,
                                               Lsn lsn) {
  const uint64_t offset = segment_offset(segment.header.base_lsn, lsn);
  auto loaded = load_record(reader, offset, segment.end_lsn - lsn);
  if (!loaded) return std::nullopt;
  const VerifiedRecord record = verify_record(loaded->bytes, lsn, segment.binding.segment_seed);
  if (record.encoded_bytes == 0) return std::nullopt;
  return SingleRecord{.record = record, .memory = std::move(loaded->memory)};
}

}  // namespace writeahead::internal
