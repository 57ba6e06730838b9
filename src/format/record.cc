// Writing and checking a record's header.
// No length is believed before it was compared with the bytes that are there.
#include "format/record.h"

#include <algorithm>

#include "format/checksum.h"
#include "format/inline_checksum.h"

namespace writeahead::internal {

namespace {

constexpr Field<uint64_t> kLastWord{0};  // of a record: what may hold padding

[[gnu::always_inline]] inline uint64_t mix(uint64_t payload_hash, Lsn lsn,
                                           const RecordHeader& header, uint64_t segment_seed) {
  const std::array<uint64_t, 3> mixed = {
      payload_hash, lsn.value(),
      uint64_t{header.length} | uint64_t{header.type} << 32 | uint64_t{header.flags} << 48};
  return inlined::checksum(std::as_bytes(std::span(mixed)), segment_seed);
}

/// Whether what fills up a payload of this length to its alignment is zero; `word` holds it, and
/// before it the payload's last bytes.
bool is_padding_zero(uint32_t length, uint64_t word) {
  const uint64_t rest = length % kRecordAlignment;
  return rest == 0 || word >> (8 * rest) == 0;
}

/// The hash of mark and payload; nothing if there cannot be any, or if a flag is unknown. Not
/// inlined: the loop over records without a mark stays as short as it is.
[[gnu::noinline]] std::optional<uint64_t> hash_of_marked(const RecordHeader& header,
                                                         std::span<const std::byte> content) {
  if (header.flags != kNumberedFlag || content.size() < kMarkBytes) return std::nullopt;
  return checksum(content.first(kMarkBytes), payload_hash(content.subspan(kMarkBytes)));
}

[[gnu::always_inline]] inline VerifiedRecord verify(std::span<const std::byte> bytes, Lsn lsn,
                                                    uint64_t segment_seed) {
  if (bytes.size() < kRecordHeaderBytes) return {};
  const RecordHeader header = decode_record_header(bytes);
  const uint64_t encoded = encoded_record_bytes(header.length);
  if (encoded > bytes.size()) return {};
  const uint64_t last_word = kLastWord.load(bytes.subspan(encoded - sizeof(uint64_t)));
  if (!is_padding_zero(header.length, last_word)) return {};
  const auto content = bytes.subspan(kRecordHeaderBytes, header.length);
  uint64_t hash = 0;
  if (header.flags == 0) [[likely]] {
    hash = inlined::payload_hash(content);
  } else if (const auto marked = hash_of_marked(header, content)) {
    hash = *marked;
  } else {
    return {};
  }
  if (!is_right_checksum(header.checksum, mix(hash, lsn, header, segment_seed))) return {};
  return {.header = header, .content = content, .encoded_bytes = encoded};
}

template <RunDigest kDigest>
void extend(RecordRun& run, std::span<const std::byte> frame, Lsn lsn, uint64_t segment_seed,
            const RunLimit& limit) {
  RecordRun now = run;  // In registers.
  const uint64_t bytes_end =
      limit.bytes < frame.size() - now.end ? now.end + limit.bytes : frame.size();
  for (uint32_t left = limit.records; left != 0 && now.end < bytes_end; --left) {
    const auto bytes = frame.subspan(now.end);
    const VerifiedRecord record = verify(bytes, lsn + now.end, segment_seed);
    if (record.encoded_bytes == 0) break;
    now.body_checksum = inlined::checksum(bytes.first(kRecordHeaderBytes), now.body_checksum);
    if constexpr (kDigest == RunDigest::is_extended) {
      now.digest = inlined::extend_digest(now.digest, record.header.checksum);
    }
    now.end += record.encoded_bytes;
    ++now.records;
  }
  run = now;
}

}  // namespace

uint64_t marked_hash(uint64_t payload_hash, const ProducerNumber& mark) {
  std::array<std::byte, kMarkBytes> bytes;
  mark_field::producer.store(bytes, mark.producer);
  mark_field::number.store(bytes, mark.number);
  return checksum(bytes, payload_hash);
}

Mark VerifiedRecord::mark() const { return decode_mark(header, content); }

uint64_t VerifiedRecord::payload_hash() const {
  const uint64_t hash = internal::payload_hash(payload());
  return header.flags == 0 ? hash : checksum(content.first(kMarkBytes), hash);
}

uint64_t record_checksum(uint64_t payload_hash, Lsn lsn, const RecordHeader& header,
                         uint64_t segment_seed) {
  return mix(payload_hash, lsn, header, segment_seed);
}

/// With all of its hashes inlined: whether the compiler does that by itself depends on what else is
/// in this file.
[[gnu::flatten]] void add_to_run(RecordRun& run, std::span<std::byte> frame, Lsn lsn,
                                 uint64_t segment_seed, uint64_t payload_hash) {
  const auto bytes = frame.subspan(run.end);
  RecordHeader header = decode_record_header(bytes);
  header.checksum = mix(payload_hash, lsn + run.end, header, segment_seed);
  record_field::checksum.store(bytes, header.checksum);
  run.body_checksum = inlined::checksum(bytes.first(kRecordHeaderBytes), run.body_checksum);
  run.digest = inlined::extend_digest(run.digest, header.checksum);
  run.end += encoded_record_bytes(header.length);
  ++run.records;
}

void encode_record_header(const RecordHeader& header, std::span<std::byte> out) {
  record_field::length.store(out, header.length);
  record_field::type.store(out, header.type);
  record_field::flags.store(out, header.flags);
  record_field::checksum.store(out, header.checksum);
}

RecordHead encode_record_head(uint64_t payload_bytes, uint16_t type, const Mark& mark) {
  RecordHead head;
  head.count = kRecordHeaderBytes;
  RecordHeader header{.length = static_cast<uint32_t>(payload_bytes), .type = type};
  if (mark) {
    const auto bytes = std::span(head.bytes).subspan(kRecordHeaderBytes);
    mark_field::producer.store(bytes, mark->producer);
    mark_field::number.store(bytes, mark->number);
    header.length += kMarkBytes;
    header.flags = kNumberedFlag;
    head.count += kMarkBytes;
  }
  encode_record_header(header, head.bytes);
  return head;
}

void encode_record(std::span<const std::byte> payload, uint16_t type, const Mark& mark,
                   std::span<std::byte> out) {
  auto rest = out.subspan(kRecordHeaderBytes);
  if (!mark) {
    encode_record_header({.length = static_cast<uint32_t>(payload.size()), .type = type}, out);
  } else {
    const RecordHead head = encode_record_head(payload.size(), type, mark);
    copy_bytes(std::span(head.bytes).first(head.count), out);
    rest = out.subspan(head.count);
  }
  copy_bytes(payload, rest);
  std::ranges::fill(rest.subspan(payload.size()), std::byte{0});
}

VerifiedRecord verify_record(std::span<const std::byte> bytes, Lsn lsn, uint64_t segment_seed) {
  return verify(bytes, lsn, segment_seed);
}

void extend_run(RecordRun& run, std::span<const std::byte> frame, Lsn lsn, uint64_t segment_seed,
                const RunLimit& limit, RunDigest digest) {
  if (digest == RunDigest::is_extended) {
    extend<RunDigest::is_extended>(run, frame, lsn, segment_seed, limit);
  } else {
    extend<RunDigest::is_left_out>(run, frame, lsn, segment_seed, limit);
  }
}

}  // namespace writeahead::internal
